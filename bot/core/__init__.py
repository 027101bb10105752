"""The domain: what a request is, who may do what, and the journeys. Standard library only, no I/O."""
