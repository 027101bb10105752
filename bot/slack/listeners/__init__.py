"""Route commands, clicks and forms, and handle each."""
