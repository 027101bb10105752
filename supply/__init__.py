"""What looks after the libraries that Keydesk stands on: their licences, and what is known against them."""
