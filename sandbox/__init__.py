"""A local Slack workspace: Keydesk runs against it unchanged, with no account anywhere."""
