"""Settings from the environment: types, checks and warnings."""
