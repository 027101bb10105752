"""Slack by Bolt: what people see (pure), what they click (listeners), and what is asked of Slack."""
