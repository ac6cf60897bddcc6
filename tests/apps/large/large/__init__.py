"""A Flower app for benchmarks."""
