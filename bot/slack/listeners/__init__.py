"""Routes of commands, clicks and forms, and what each does."""
