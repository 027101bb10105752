"""Keydesk: AWS access keys, requested, approved and delivered in Slack."""
