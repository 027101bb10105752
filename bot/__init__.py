"""Keydesk: a desk in Slack where people get, see and retire their own AWS access keys."""
