"""Sends an array to all nodes and prints the mean of what comes back."""

import time

import numpy as np
from flwr.common import ArrayRecord, Context, Message, MessageType, RecordDict
from flwr.server import Grid, ServerApp

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    config = context.run_config
    print(f"greeting: {config['greeting']}", flush=True)
    while len(nodes := list(grid.get_node_ids())) < config["nodes"]:
        time.sleep(0.2)
    for number in range(1, config["rounds"] + 1):
        content = RecordDict({"model": ArrayRecord([np.full(config["size"], float(number))])})
        questions = [Message(content, dst_node_id=n, message_type=MessageType.TRAIN) for n in nodes]
        replies = list(grid.send_and_receive(questions))
        means = [reply.content["model"].to_numpy_ndarrays()[0].mean() for reply in replies]
        calls = sorted(reply.content["metrics"]["calls"] for reply in replies)
        print(f"round {number}: mean {np.mean(means):.3f} of {len(replies)}, calls {calls}", flush=True)
    print("finished", flush=True)
