"""Render all messages and forms in Slack, as pure functions."""
