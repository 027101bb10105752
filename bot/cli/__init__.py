"""Commands that operators run beside the bot."""
