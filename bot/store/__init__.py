"""The adapter for Redis and Valkey, and the embedded Valkey server."""
