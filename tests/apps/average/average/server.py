"""Federated averaging of an array that begins with zeros."""

import numpy as np
from flwr.common import ndarrays_to_parameters
from flwr.server import ServerApp, ServerAppComponents, ServerConfig
from flwr.server.strategy import FedAvg


def told(number, parameters, config):
    print(f"round {number}: mean {parameters[0].mean():.3f}", flush=True)
    return 0.0, {}


def server_fn(context):
    nodes = int(context.run_config["nodes"])
    strategy = FedAvg(
        fraction_fit=1.0,
        min_fit_clients=nodes,
        min_evaluate_clients=nodes,
        min_available_clients=nodes,
        initial_parameters=ndarrays_to_parameters([np.zeros((3, 4))]),
        evaluate_fn=told,
    )
    rounds = int(context.run_config["rounds"])
    return ServerAppComponents(strategy=strategy, config=ServerConfig(num_rounds=rounds))


app = ServerApp(server_fn=server_fn)
