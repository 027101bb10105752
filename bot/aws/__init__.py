"""How Keydesk talks to AWS."""
