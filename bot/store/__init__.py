"""Where Keydesk keeps what it must remember: Redis, or the Valkey server that comes with it."""
