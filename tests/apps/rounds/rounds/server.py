"""Federated averaging as Flower has it; tells when each round began."""

import time

import numpy as np
from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

app = ServerApp()


class Timed(FedAvg):
    def configure_train(self, server_round, arrays, config, grid):
        print(f"round {server_round} at {time.time():.6f}", flush=True)
        return super().configure_train(server_round, arrays, config, grid)


@app.main()
def main(grid: Grid, context: Context) -> None:
    config = context.run_config
    nodes, rounds = config["nodes"], config["rounds"]
    strategy = Timed(min_train_nodes=nodes, min_evaluate_nodes=nodes, min_available_nodes=nodes)
    arrays = ArrayRecord([np.zeros(config["size"])])
    result = strategy.start(grid=grid, initial_arrays=arrays, num_rounds=rounds)
    print(f"round {rounds + 1} at {time.time():.6f}", flush=True)
    evaluated = len(result.evaluate_metrics_clientapp)
    print(f"{evaluated} of {rounds} rounds were evaluated", flush=True)
