"""Descends the gradient on the points of one node, which lie on one line with all others."""

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


def points(context: Context) -> tuple[np.ndarray, np.ndarray]:
    # The first node has the points left of 0, the second those right of it.
    middle = float(context.node_config["value"]) - 1.5
    x = middle + np.linspace(-0.5, 0.5, 20)
    return x, 3.0 * x + 1.0


@app.train()
def train(message: Message, context: Context) -> Message:
    x, y = points(context)
    slope, height = message.content["arrays"].to_numpy_ndarrays()
    for _ in range(message.content["config"]["steps"]):
        error = slope * x + height - y
        slope = slope - 0.5 * (error * x).mean()
        height = height - 0.5 * error.mean()
    arrays = ArrayRecord({"slope": Array(slope), "height": Array(height)})
    metrics = MetricRecord({"num-examples": len(x)})
    return Message(RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    x, y = points(context)
    slope, height = message.content["arrays"].to_numpy_ndarrays()
    error = float(np.square(slope * x + height - y).mean())
    metrics = MetricRecord({"num-examples": len(x), "error": error})
    return Message(RecordDict({"metrics": metrics}), reply_to=message)
