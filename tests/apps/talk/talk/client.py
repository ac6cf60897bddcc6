"""Answers each kind of message in a function of its own."""

from flwr.app import ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


@app.query("echo")
def echo(message: Message, context: Context) -> Message:
    words = dict(message.content["words"])
    words["word"] = words["word"].upper()
    message.content["words"] = ConfigRecord(words)
    return Message(message.content, reply_to=message)


@app.train("fails")
def fails(message: Message, context: Context) -> Message:
    raise ValueError("this node never learns")


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    metrics = MetricRecord({"value": float(context.node_config["value"])})
    return Message(RecordDict({"metrics": metrics}), reply_to=message)
