"""Federated averaging in which the server sees only the sum: SecAgg+, as Flower ships it."""

import numpy as np
from flwr.app import Context
from flwr.common import ndarrays_to_parameters
from flwr.server import Grid, LegacyContext, ServerApp, ServerConfig
from flwr.server.strategy import FedAvg
from flwr.server.workflow import DefaultWorkflow, SecAggPlusWorkflow

app = ServerApp()


def told(number, parameters, config):
    print(f"round {number}: mean {parameters[0].mean():.2f}", flush=True)
    return 0.0, {}


@app.main()
def main(grid: Grid, context: Context) -> None:
    nodes = context.run_config["nodes"]
    strategy = FedAvg(
        fraction_fit=1.0,
        fraction_evaluate=0.0,
        min_fit_clients=nodes,
        min_available_clients=nodes,
        initial_parameters=ndarrays_to_parameters([np.zeros((3, 4))]),
        evaluate_fn=told,
    )
    rounds = ServerConfig(num_rounds=context.run_config["rounds"])
    legacy = LegacyContext(context=context, config=rounds, strategy=strategy)
    secure = SecAggPlusWorkflow(num_shares=nodes, reconstruction_threshold=nodes - 1)
    DefaultWorkflow(fit_workflow=secure)(grid, legacy)
