"""Averages the lines that the nodes find."""

import time

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context
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
        initial_arrays=ArrayRecord({"slope": Array(np.zeros(1)), "height": Array(np.zeros(1))}),
        train_config=ConfigRecord({"steps": 200}),
        num_rounds=config["rounds"],
    )
    slope, height = (array[0] for array in result.arrays.to_numpy_ndarrays())
    errors = [metrics["error"] for metrics in result.evaluate_metrics_clientapp.values()]
    print(f"slope {slope:.2f}, height {height:.2f}, after {len(errors)} rounds", flush=True)
    print(f"the error {'fell' if errors[-1] < errors[0] / 10 else 'stayed'}: {errors}", flush=True)
