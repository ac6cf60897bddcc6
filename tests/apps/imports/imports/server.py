"""Asks one node the same in each round, and prints the answers."""

import time

from flwr.common import Context, Message, MessageType, RecordDict
from flwr.server import Grid, ServerApp

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    while not (nodes := list(grid.get_node_ids())):
        time.sleep(0.2)
    for _ in range(context.run_config["rounds"]):
        question = Message(RecordDict(), dst_node_id=nodes[0], message_type=MessageType.TRAIN)
        begun = time.monotonic()
        for reply in grid.send_and_receive([question]):
            if reply.has_error():
                print(f"an error: {reply.error.reason}", flush=True)
            else:
                print(f"seen: {reply.content['seen']['seen']}", flush=True)
        print(f"took: {time.monotonic() - begun:.3f}", flush=True)
    print("finished", flush=True)
