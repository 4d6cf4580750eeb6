"""What `phanos.metrics` is made of."""
