"""Federated learning of handwritten digits with softmax regression."""
