"""Everything that people read in Slack, as pure functions."""
