"""Asks the nodes once and prints what became of it. Raises, exits, dies or stays when it is told to."""

import os
import sys
import time

from flwr.common import Context, Message, MessageType, RecordDict
from flwr.server import Grid, ServerApp

from trouble.leave import leave

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    config = context.run_config
    print(f"serverapp pid={os.getpid()}", flush=True)
    if config["leave"]:
        leave("serverapp")
    if config["server"] == "raise":
        raise RuntimeError("this server has trouble")
    if config["server"] == "break":
        raise ValueError("this server is broken")
    if config["server"] == "exit":
        sys.exit(config["exit-code"])
    if config["server"] == "die":
        os._exit(config["exit-code"])
    while config["server"] == "wait" and not os.path.exists(config["file"]):
        time.sleep(0.05)
    while len(nodes := list(grid.get_node_ids())) < config["nodes"]:
        time.sleep(0.2)
    questions = [
        Message(RecordDict(), dst_node_id=node, message_type=MessageType.TRAIN, ttl=config["ttl"])
        for node in nodes + [4711] * config["absent"]
    ]
    for reply in grid.send_and_receive(questions):
        if reply.has_error():
            print(f"reply: error {reply.error.code}: {reply.error.reason}", flush=True)
        else:
            print(f"reply: {reply.content['metrics']['answer']}", flush=True)
    while config["server"] == "stay":
        time.sleep(60)
    print("finished", flush=True)
