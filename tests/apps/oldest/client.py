"""Adds a number to each number. In a folder without a pyproject.toml, as apps were until flwr 1.10."""

import os

from flwr.client import ClientApp, NumPyClient


class Adder(NumPyClient):
    def fit(self, parameters, config):
        return [part + float(os.environ["VALUE"]) for part in parameters], 1, {}

    def evaluate(self, parameters, config):
        return float(parameters[0].mean()), 1, {"name": "adder", "good": True}


# The argument was the client's number once, and is its context now.
def client_fn(_):
    return Adder().to_client()


app = ClientApp(client_fn=client_fn)
