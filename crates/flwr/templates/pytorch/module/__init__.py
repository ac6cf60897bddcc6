"""Handwritten digits, learned together with PyTorch."""
