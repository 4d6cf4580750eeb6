"""Programs that the Makefile, the tests, the demo and the benchmarks use."""
