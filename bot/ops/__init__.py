"""What does an operator run beside the bot? Commands that look into what it keeps."""
