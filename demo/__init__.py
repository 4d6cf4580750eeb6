"""A tour: two small servers, real HTTP requests, and what the profiler recorded of them."""
