"""One module for each thing that people or time do to a request or a key."""
