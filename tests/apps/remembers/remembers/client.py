"""Remembers each round in a list of numbers, and a model of its own that no one else gets."""

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    state = context.state
    if "own" not in state:
        state["own"] = ArrayRecord([np.zeros(2)])
        state["seen"] = MetricRecord({"rounds": []})
    (own,) = state["own"].to_numpy_ndarrays()
    state["own"] = ArrayRecord([own + float(context.node_config["value"])])
    rounds = [*state["seen"]["rounds"], message.content["round"]["number"]]
    state["seen"] = MetricRecord({"rounds": rounds})
    return Message(RecordDict({"own": state["own"], "seen": state["seen"]}), reply_to=message)
