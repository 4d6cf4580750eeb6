"""What is alive, and what users put in the place of names, methods and parts."""
