"""Raises, dies or hangs when it is told to."""

import os
import signal
import time

from flwr.client import ClientApp
from flwr.common import Context, Message, MetricRecord, RecordDict

from trouble.leave import leave

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    what = context.run_config["client"]
    print(f"clientapp pid={os.getpid()} will {what}", flush=True)
    if context.run_config["leave"]:
        leave("clientapp")
    if what == "raise":
        raise ValueError("this client has trouble")
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "print":
        for number in range(5000):
            print(f"{number} {'x' * 1000}")
    while what == "wait" and not os.path.exists(context.run_config["file"]):
        time.sleep(0.05)
    while what == "hang":
        time.sleep(60)
    return Message(RecordDict({"metrics": MetricRecord({"answer": 42})}), reply_to=message)
