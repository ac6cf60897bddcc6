"""A Flower app for tests: what it computes can be told beforehand."""
