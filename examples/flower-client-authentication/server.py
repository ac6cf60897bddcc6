"""The coordinator's side: three rounds of federated averaging, once two clients are there."""

from flwr.server import ServerApp, ServerConfig
from flwr.server.strategy import FedAvg


def mean_accuracy(metrics):
    """Each client counts as much as it has examples."""
    examples = sum(count for count, _ in metrics)
    accuracy = sum(count * found["accuracy"] for count, found in metrics) / examples
    print(f"accuracy on {examples} digits that nobody trained on: {accuracy:.3f}", flush=True)
    return {"accuracy": accuracy}


strategy = FedAvg(
    min_fit_clients=2,
    min_evaluate_clients=2,
    min_available_clients=2,
    evaluate_metrics_aggregation_fn=mean_accuracy,
)

app = ServerApp(config=ServerConfig(num_rounds=3), strategy=strategy)
