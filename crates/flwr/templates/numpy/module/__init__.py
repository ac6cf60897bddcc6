"""Logistic regression with NumPy, learned by all nodes together."""
