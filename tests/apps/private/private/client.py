"""Moves far, which two mods do not let it: the norm of a round's change is 50, 1, and then 0.5."""

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.clientapp.mod import LocalDpMod, fixedclipping_mod

# Noise of a millionth, which rounding hides.
local = LocalDpMod(clipping_norm=0.5, sensitivity=1e-7, epsilon=1.0, delta=1e-3)
app = ClientApp(mods=[local, fixedclipping_mod])


@app.train()
def train(message: Message, context: Context) -> Message:
    (numbers,) = message.content["arrays"].to_numpy_ndarrays()
    arrays = ArrayRecord([numbers + np.array([30.0, 40.0])])
    metrics = MetricRecord({"num-examples": 1})
    return Message(RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)
