"""Nodes that answer a question of the server in each round."""
