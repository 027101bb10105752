"""Adapt Keydesk to Slack: listeners, messages and delivery."""
