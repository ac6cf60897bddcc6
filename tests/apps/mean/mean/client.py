"""Multiplies, and counts how often it was asked in this run."""

import os

from flwr.client import ClientApp
from flwr.common import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    factor = float(context.node_config["value"]) * float(context.run_config["scale"])
    arrays = [factor * array for array in message.content["model"].to_numpy_ndarrays()]
    calls = context.state["memory"]["calls"] + 1 if "memory" in context.state else 1
    context.state["memory"] = ConfigRecord({"calls": calls})
    metrics = MetricRecord({"calls": calls})
    # What the process remembers, unlike the context, is nobody's but its own.
    before = int(os.environ.get("MEAN_ANSWERED", "0"))
    os.environ["MEAN_ANSWERED"] = str(before + 1)
    print(f"process {os.getpid()} has answered {before} before", flush=True)
    return Message(RecordDict({"model": ArrayRecord(arrays), "metrics": metrics}), reply_to=message)
