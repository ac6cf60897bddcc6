"""Adds the node's value to each number; a mod masks the sum before it leaves."""

from flwr.client import ClientApp, NumPyClient
from flwr.client.mod import secaggplus_mod


class Adder(NumPyClient):
    def __init__(self, value):
        self.value = value

    def fit(self, parameters, config):
        return [part + self.value for part in parameters], 1, {}


def client_fn(context):
    return Adder(float(context.node_config["value"])).to_client()


app = ClientApp(client_fn=client_fn, mods=[secaggplus_mod])
