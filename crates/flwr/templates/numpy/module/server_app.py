"""The server: it sends the model around and averages what the nodes make of it."""

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

    # FedAvg waits until two nodes are there, and then takes all that are online.
    result = FedAvg().start(
        grid=grid,
        initial_arrays=ArrayRecord(task.initial_weights()),
        # The nodes get this with the model in each round.
        train_config=ConfigRecord(
            {
                "local-epochs": config["local-epochs"],
                "learning-rate": config["learning-rate"],
            }
        ),
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
