"""Asks for what the nodes remember, and remembers the rounds itself."""

import time

from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.serverapp import Grid, ServerApp

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    config = context.run_config
    while len(nodes := list(grid.get_node_ids())) < config["nodes"]:
        time.sleep(0.2)
    for number in range(1, config["rounds"] + 1):
        context.state["rounds"] = ConfigRecord({"last": number})
        content = RecordDict({"round": ConfigRecord({"number": number})})
        replies = grid.send_and_receive([Message(content, n, "train") for n in nodes], timeout=60)
        told = sorted(
            (list(r.content["seen"]["rounds"]), r.content["own"].to_numpy_ndarrays()[0].tolist())
            for r in replies
        )
        print(f"round {context.state['rounds']['last']}: {told}", flush=True)
