"""One node: it trains the network of the server on its own digits, and tests it."""

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from torch.utils.data import TensorDataset

from {{module}} import task

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Improve the network with the training digits of this node."""
    config = message.content["config"]
    train_set, _ = local_data(context)
    net = received_net(message)
    loss = task.train(
        net,
        train_set,
        epochs=int(config["local-epochs"]),
        learning_rate=float(config["learning-rate"]),
        batch_size=int(config["batch-size"]),
    )
    # "num-examples" is how much this node counts when the server averages.
    metrics = {"num-examples": len(train_set), "train-loss": loss}
    reply = RecordDict(
        {"arrays": ArrayRecord(net.state_dict()), "metrics": MetricRecord(metrics)}
    )
    return Message(reply, reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Test the network with the digits that this node has kept back."""
    _, test_set = local_data(context)
    loss, accuracy = task.evaluate(received_net(message), test_set)
    metrics = {"num-examples": len(test_set), "loss": loss, "accuracy": accuracy}
    reply = RecordDict({"metrics": MetricRecord(metrics)})
    return Message(reply, reply_to=message)


def received_net(message: Message) -> task.Net:
    """Make a network with the weights that the server has sent."""
    net = task.Net()
    net.load_state_dict(message.content["arrays"].to_torch_state_dict())
    return net


def local_data(context: Context) -> tuple[TensorDataset, TensorDataset]:
    """Give the digits of this node, for training and for testing.

    `flwr up` tells each node which partition is its own. A node started without
    --node-config takes partition 0 of 1, so two such nodes have the same digits.
    """
    return task.load_data(
        partition_id=int(context.node_config.get("partition-id", 0)),
        num_partitions=int(context.node_config.get("num-partitions", 1)),
    )
