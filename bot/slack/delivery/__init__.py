"""How messages reach Slack: rendering, rate limits and the Home tab."""
