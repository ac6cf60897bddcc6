"""Adds the node's value to each number."""

from flwr.client import ClientApp, NumPyClient


class Adder(NumPyClient):
    def __init__(self, value):
        self.value = value

    def fit(self, parameters, config):
        return [part + self.value for part in parameters], 1, {}

    def evaluate(self, parameters, config):
        return float(parameters[0].mean()), 1, {"name": "adder", "good": True}


def client_fn(context):
    return Adder(float(context.node_config["value"])).to_client()


app = ClientApp(client_fn=client_fn)
