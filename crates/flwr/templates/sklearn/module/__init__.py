"""Handwritten digits, learned together with scikit-learn."""
