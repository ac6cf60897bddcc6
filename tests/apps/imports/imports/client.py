"""Answers with what it saw when it was imported."""

from imports.seen import look
from flwr.client import ClientApp
from flwr.common import ConfigRecord, Context, Message, RecordDict

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    return Message(RecordDict({"seen": ConfigRecord({"seen": str(look())})}), reply_to=message)
