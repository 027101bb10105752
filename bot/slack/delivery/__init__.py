"""Deliver messages to Slack: rendering, rate limits and the Home tab."""
