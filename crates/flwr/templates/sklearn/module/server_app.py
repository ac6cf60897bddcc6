"""The server: it sends the model around and averages what the nodes make of it."""

import time
from logging import INFO

from flwr.app import ArrayRecord, ConfigRecord, Context
from flwr.common import log
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from {{module}} import task

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run all rounds. The run is finished when this function returns."""
    config = context.run_config
    min_nodes = int(config["min-nodes"])
    wait_for_nodes(grid, min_nodes)

    # FedAvg takes all nodes that are online.
    strategy = FedAvg(
        min_train_nodes=min_nodes,
        min_evaluate_nodes=min_nodes,
        min_available_nodes=min_nodes,
    )
    result = strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord(task.initial_weights()),
        # The nodes get this with the model in each round.
        train_config=ConfigRecord({"local-iterations": config["local-iterations"]}),
        num_rounds=int(config["num-server-rounds"]),
    )

    # `result.arrays` has the final model: this is the place to save or to use it.
    if not (result.train_metrics_clientapp and result.evaluate_metrics_clientapp):
        raise RuntimeError("no node could train and test the model, see above")
    for server_round, metrics in result.evaluate_metrics_clientapp.items():
        log(
            INFO,
            "Round %d: accuracy %.4f, loss %.4f",
            server_round,
            metrics["accuracy"],
            metrics["loss"],
        )


def wait_for_nodes(grid: Grid, min_nodes: int) -> list[int]:
    """Give the nodes that are online, as soon as there are enough."""
    waited = 0
    while len(node_ids := list(grid.get_node_ids())) < min_nodes:
        if waited % 60 == 0:  # once a minute
            log(
                INFO,
                "%d of %d nodes are online, waiting. Start more SuperNodes, or run "
                'with fewer nodes: --run-config "min-nodes=1"',
                len(node_ids),
                min_nodes,
            )
        time.sleep(2)
        waited += 2
    return node_ids
