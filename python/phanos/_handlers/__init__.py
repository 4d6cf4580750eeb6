"""The handlers that `phanos.handlers` shows, and what they are made of."""
