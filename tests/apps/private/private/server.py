"""Federated averaging under a strategy for differential privacy that has the nodes clip."""

import time

import numpy as np
from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import DifferentialPrivacyClientSideFixedClipping, FedAvg

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    config = context.run_config
    while len(list(grid.get_node_ids())) < config["nodes"]:
        time.sleep(0.2)
    # Without noise, so that the result is known beforehand.
    strategy = DifferentialPrivacyClientSideFixedClipping(
        FedAvg(fraction_evaluate=0.0),
        noise_multiplier=0.0,
        clipping_norm=1.0,
        num_sampled_clients=config["nodes"],
    )
    result = strategy.start(
        grid=grid, initial_arrays=ArrayRecord([np.zeros(2)]), num_rounds=config["rounds"]
    )
    numbers = ", ".join(f"{number:.3f}" for number in result.arrays.to_numpy_ndarrays()[0])
    print(f"clipped to {numbers}", flush=True)
