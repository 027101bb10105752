"""The adapter for Slack: listeners, messages and delivery."""
