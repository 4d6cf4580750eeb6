"""What profiling costs, beside other libraries, in one run: `make bench`."""
