"""One node: it trains the model of the server on its own examples, and tests it."""

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from {{module}} import task

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Improve the model with the training examples of this node."""
    config = message.content["config"]
    data = local_data(context)
    weights, loss = task.train(
        message.content["arrays"].to_numpy_ndarrays(),
        data.train_x,
        data.train_y,
        epochs=int(config["local-epochs"]),
        learning_rate=float(config["learning-rate"]),
    )
    # "num-examples" is how much this node counts when the server averages.
    metrics = {"num-examples": len(data.train_y), "train-loss": loss}
    reply = RecordDict(
        {"arrays": ArrayRecord(weights), "metrics": MetricRecord(metrics)}
    )
    return Message(reply, reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Test the model with the examples that this node has kept back."""
    data = local_data(context)
    loss, accuracy = task.evaluate(
        message.content["arrays"].to_numpy_ndarrays(), data.test_x, data.test_y
    )
    metrics = {"num-examples": len(data.test_y), "loss": loss, "accuracy": accuracy}
    reply = RecordDict({"metrics": MetricRecord(metrics)})
    return Message(reply, reply_to=message)


def local_data(context: Context) -> task.Data:
    """Give the examples of this node.

    `flwr up` tells each node which partition is its own. A node started without
    --node-config takes partition 0 of 1, so two such nodes have the same examples.
    """
    return task.load_data(
        partition_id=int(context.node_config.get("partition-id", 0)),
        num_partitions=int(context.node_config.get("num-partitions", 1)),
    )
