"""Sends arrays of bytes and one of numbers, and prints a hash of what comes back."""

import hashlib
import os
import time

import numpy as np
from flwr.common import ArrayRecord, Context, Message, MessageType, RecordDict
from flwr.server import Grid, ServerApp

from channel import connections

app = ServerApp()


def merged(models):
    """The bytes added up, and the mean of the numbers."""
    *arrays, numbers = zip(*models)
    return [sum(array[1:], array[0]) for array in arrays] + [np.mean(numbers, axis=0)]


@app.main()
def main(grid: Grid, context: Context) -> None:
    config = context.run_config
    while len(nodes := list(grid.get_node_ids())) < config["nodes"]:
        time.sleep(0.1)
    print(f"the serverapp has {connections()} connections", flush=True)
    sizes = [int(size) for size in str(config["sizes"]).split()]
    model = [(np.arange(size) % 251).astype(np.uint8) for size in sizes] + [np.linspace(0, 1, 100)]
    for number in range(1, config["rounds"] + 1):
        content = RecordDict({"model": ArrayRecord(model)})
        questions = [Message(content, dst_node_id=n, message_type=MessageType.TRAIN) for n in nodes]
        replies = list(grid.send_and_receive(questions))
        for reply in replies:
            if reply.has_error():
                print(f"reply: error {reply.error.code}: {reply.error.reason}", flush=True)
        models = [
            (reply.content["metrics"]["value"], reply.content["model"].to_numpy_ndarrays())
            for reply in replies
            if reply.has_content()
        ]
        if models:
            model = merged([arrays for _, arrays in sorted(models, key=lambda pair: pair[0])])
        digest = hashlib.sha256(b"".join(array.tobytes() for array in model)).hexdigest()
        print(f"round {number}: {len(models)} answers, {digest}", flush=True)
        while config["pause"] and number == 1 and not os.path.exists(config["pause"]):
            time.sleep(0.05)
    print("finished", flush=True)
