"""Answers with what the model, the round and the node's configuration determine."""

from flwr.client import ClientApp
from flwr.common import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict

from steady.model import answer

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    if path := context.run_config["executions"]:
        # One write at the end of the file: ClientApps of all nodes write to it.
        with open(path, "a", encoding="utf-8") as file:
            file.write(message.metadata.message_id + "\n")
    value = float(context.node_config["value"])
    number = int(message.content["round"]["number"])
    arrays = answer(message.content["model"].to_numpy_ndarrays(), value, number)
    about = MetricRecord({"value": value, "number": number})
    node = ConfigRecord({"release": str(context.node_config.get("release", ""))})
    content = RecordDict({"model": ArrayRecord(arrays), "about": about, "node": node})
    return Message(content, reply_to=message)
