"""Rounds over all nodes, each of which must answer each round once: anything else fails the run.

Every line is printed, and written to the file `report`: a log may come to the SuperLink twice when
an answer was lost on the way, the file tells what was computed.
"""

import os
import threading
import time
from collections import Counter

from flwr.common import ArrayRecord, ConfigRecord, Context, Message, MessageType, RecordDict
from flwr.server import Grid, ServerApp

from steady.model import aggregate, first, question, told_at_the_end, told_of_round

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    config = context.run_config

    def tell(line: str) -> None:
        if config["report"]:
            with open(config["report"], "a", encoding="utf-8") as file:
                file.write(line + "\n")
        print(line, flush=True)

    tell(f"serverapp pid={os.getpid()}")
    if config["noisy"]:
        threading.Thread(target=chatter, daemon=True).start()
    nodes = all_nodes(grid, config["nodes"])
    model = first(config["seed"])
    for number in range(1, config["rounds"] + 1):
        arrays = question(model, number, config["heavy-every"])
        questions = ask(nodes, arrays, number)
        replies = list(grid.send_and_receive(questions, timeout=config["patience"]))
        for complaint in (complaints := check(questions, replies, number)):
            tell(f"round {number}: {complaint}")
        if complaints:
            raise RuntimeError(f"round {number} went wrong")
        # In the order of the nodes' configuration: they answer in any order.
        replies.sort(key=lambda reply: reply.content["about"]["value"])
        releases = [reply.content["node"]["release"] for reply in replies]
        if any(releases):
            tell(f"took part in round {number}: {', '.join(releases)}")
        model = aggregate([reply.content["model"].to_numpy_ndarrays() for reply in replies])
        tell(told_of_round(number, len(replies), model))
    tell(told_at_the_end(model))


def chatter() -> None:
    """Prints all the time; a print that fails ends the app, as it would in the app's own code."""
    try:
        while True:
            print("noise " * 20, flush=True)
            time.sleep(0.05)
    except OSError:
        os._exit(1)


def all_nodes(grid: Grid, count: int) -> list[int]:
    while len(nodes := sorted(set(grid.get_node_ids()))) < count:
        time.sleep(0.2)
    if len(nodes) > count:
        raise RuntimeError(f"{len(nodes)} nodes, expected {count}")
    return nodes


def ask(nodes: list[int], arrays: list, number: int) -> list[Message]:
    about = ConfigRecord({"number": number})
    content = RecordDict({"model": ArrayRecord(arrays), "round": about})
    return [Message(content, dst_node_id=n, message_type=MessageType.TRAIN) for n in nodes]


def check(questions: list[Message], replies: list[Message], number: int) -> list[str]:
    """What is wrong with a round's replies; the harness counts `lost` and `doubled`."""
    asked = {message.metadata.message_id: message.metadata.dst_node_id for message in questions}
    wrong = []
    answered: Counter[int] = Counter()
    for reply in replies:
        node = asked.get(reply.metadata.reply_to_message_id)
        if node is None:
            wrong.append(f"stray reply to {reply.metadata.reply_to_message_id!r}")
        elif reply.has_error():
            wrong.append(f"lost by {node}, error {reply.error.code}: {reply.error.reason!r}")
        elif reply.content["about"]["number"] != number or reply.metadata.src_node_id != node:
            wrong.append(f"stray reply of {reply.metadata.src_node_id}: {reply.content['about']}")
        answered[node] += 1
    wrong += [f"doubled by {node}" for node in asked.values() for _ in range(answered[node] - 1)]
    wrong += [f"lost by {node}, no reply" for node in asked.values() if not answered[node]]
    return wrong
