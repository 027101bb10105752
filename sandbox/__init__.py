"""Run a local Slack workspace and AWS for Keydesk, without any account."""
