"""Changes each array, so that no two rounds have equal bytes."""

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    arrays = [array + 1.0 for array in message.content["model"].to_numpy_ndarrays()]
    return Message(RecordDict({"model": ArrayRecord(arrays)}), reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    arrays = message.content["model"].to_numpy_ndarrays()
    mean = float(sum(array.mean() for array in arrays))
    return Message(RecordDict({"metrics": MetricRecord({"mean": mean})}), reply_to=message)
