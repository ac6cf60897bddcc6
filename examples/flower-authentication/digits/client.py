"""What happens on a data owner's machine: train on its digits, test on those it kept back."""

from flwr.client import ClientApp
from flwr.common import ArrayRecord, Context, Message, MetricRecord, RecordDict

from digits import data, model

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    images, labels = data.load(context.node_config, "train")
    weights, loss = model.train(
        message.content["model"].to_numpy_ndarrays(),
        images,
        labels,
        epochs=int(context.run_config["local-epochs"]),
        learning_rate=float(context.run_config["learning-rate"]),
        seed=int(message.content["plan"]["round"]),
    )
    reply = RecordDict(
        {
            "model": ArrayRecord(weights),
            "metrics": MetricRecord({"examples": len(images), "loss": loss}),
        }
    )
    return Message(reply, reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    images, labels = data.load(context.node_config, "test")
    loss, accuracy = model.evaluate(message.content["model"].to_numpy_ndarrays(), images, labels)
    metrics = MetricRecord({"examples": len(images), "loss": loss, "accuracy": accuracy})
    return Message(RecordDict({"metrics": metrics}), reply_to=message)
