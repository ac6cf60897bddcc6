"""Averages the models of the nodes, and tells how many digits each round reads."""

import time

import numpy as np
from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    config = context.run_config
    while len(list(grid.get_node_ids())) < config["nodes"]:
        time.sleep(0.2)
    result = FedAvg().start(
        grid=grid,
        initial_arrays=ArrayRecord([np.zeros((10, 64)), np.zeros(10)]),
        num_rounds=config["rounds"],
    )
    for number, metrics in result.evaluate_metrics_clientapp.items():
        print(f"round {number}: accuracy {metrics['accuracy']:.3f}", flush=True)
