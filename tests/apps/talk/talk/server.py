"""Speaks with the nodes message by message, without a strategy."""

import time

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid, ServerApp

app = ServerApp()


def content(word: str) -> RecordDict:
    return RecordDict(
        {
            "numbers": ArrayRecord([np.arange(6, dtype=np.int64).reshape(2, 3), np.float32([0.5])]),
            "counts": MetricRecord({"whole": 7, "parts": [0.25, 0.75]}),
            "words": ConfigRecord({"word": word, "flags": [True, False], "bytes": b"\x00\xff"}),
        }
    )


@app.main()
def main(grid: Grid, context: Context) -> None:
    config = context.run_config
    while len(nodes := sorted(grid.get_node_ids())) < config["nodes"]:
        time.sleep(0.2)

    # All at once, until the last reply is there.
    questions = [Message(content(config["word"]), n, "query.echo", group_id="one") for n in nodes]
    replies = list(grid.send_and_receive(questions, timeout=60))
    same = sum(reply.content == content(config["word"].upper()) for reply in replies)
    print(f"{same} of {len(replies)} replies are right", flush=True)

    # One by one: the ids of the messages name the replies.
    ids = list(grid.push_messages([Message(content(""), n, "train.fails") for n in nodes]))
    failed = {}
    while len(failed) < len(ids):
        for reply in grid.pull_messages([i for i in ids if i not in failed]):
            failed[reply.metadata.reply_to_message_id] = reply
        time.sleep(0.1)
    errors = sum(reply.has_error() for reply in failed.values())
    print(f"{errors} of {len(ids)} nodes tell of an error", flush=True)
    print(f"from {sorted(r.metadata.src_node_id for r in failed.values()) == nodes}", flush=True)

    # A message to the first node only, which lives for a minute.
    one = Message(content("last"), nodes[0], "evaluate", ttl=60.0)
    (reply,) = grid.send_and_receive([one], timeout=60)
    print(f"the first node has value {reply.content['metrics']['value']:.1f}", flush=True)
