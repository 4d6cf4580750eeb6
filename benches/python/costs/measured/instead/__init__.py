"""What one could use in place of phanos: a nested call under each, and how many calls it saw."""
