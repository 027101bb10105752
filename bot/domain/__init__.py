"""Values and rules of requests and keys. Standard library only, no I/O."""
