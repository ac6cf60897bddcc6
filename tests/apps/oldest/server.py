"""Federated averaging of an array that begins with zeros, over two nodes and two rounds."""

import numpy as np
from flwr.common import ndarrays_to_parameters
from flwr.server import ServerApp, ServerConfig
from flwr.server.strategy import FedAvg


def told(number, parameters, config):
    print(f"round {number}: mean {parameters[0].mean():.3f}", flush=True)
    return 0.0, {}


def on_fit(number):
    return {"number": number, "name": "fit", "good": True}


def metrics(found):
    names = sorted(f"{one['name']} {one['good']}" for _, one in found)
    print(f"metrics: {', '.join(names)}", flush=True)
    return {}


strategy = FedAvg(
    fraction_fit=1.0,
    min_fit_clients=2,
    min_evaluate_clients=2,
    min_available_clients=2,
    initial_parameters=ndarrays_to_parameters([np.zeros((3, 4))]),
    evaluate_fn=told,
    evaluate_metrics_aggregation_fn=metrics,
    on_fit_config_fn=on_fit,
)

app = ServerApp(config=ServerConfig(num_rounds=2), strategy=strategy)
