"""What happens at the coordinator: ask every node to train, average what they learned, ask them how good it is."""

import time

from flwr.common import ArrayRecord, ConfigRecord, Context, Message, MessageType, RecordDict
from flwr.server import Grid, ServerApp

from digits import model

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    rounds = int(context.run_config["num-rounds"])
    if rounds < 1:
        raise ValueError(f"num-rounds is {rounds}, but there must be at least one")
    nodes = wait_for_nodes(grid, int(context.run_config["min-nodes"]))
    print(f"{len(nodes)} nodes will train for {rounds} rounds", flush=True)

    weights = model.blank()
    for number in range(1, rounds + 1):
        started = time.monotonic()
        trained = ask(grid, nodes, MessageType.TRAIN, weights, number)
        weights = [
            weighted_mean(trained, lambda reply, i=i: reply["model"].to_numpy_ndarrays()[i])
            for i in range(len(weights))
        ]
        tested = ask(grid, nodes, MessageType.EVALUATE, weights, number)
        loss = weighted_mean(tested, lambda reply: reply["metrics"]["loss"])
        accuracy = weighted_mean(tested, lambda reply: reply["metrics"]["accuracy"])
        seconds = time.monotonic() - started
        print(
            f"round {number}/{rounds}: accuracy {accuracy:.4f}, loss {loss:.4f}, {seconds:.1f} s",
            flush=True,
        )
    print(f"finished: accuracy {accuracy:.4f}", flush=True)


def wait_for_nodes(grid: Grid, at_least: int) -> list[int]:
    """The nodes that are online, once there are enough of them."""
    waited = 0
    while len(nodes := sorted(grid.get_node_ids())) < at_least:
        if waited % 60 == 0:  # once a minute
            print(
                f"{len(nodes)} of {at_least} nodes are online, waiting. Start more SuperNodes, "
                'or run with fewer nodes: --run-config "min-nodes=1"',
                flush=True,
            )
        time.sleep(1)
        waited += 1
    return nodes


def ask(grid: Grid, nodes: list[int], what: str, weights: list, number: int) -> list[RecordDict]:
    """Send the model to all nodes and wait for their answers. Raises if a node fails."""
    content = RecordDict({"model": ArrayRecord(weights), "plan": ConfigRecord({"round": number})})
    questions = [Message(content, dst_node_id=node, message_type=what) for node in nodes]
    answers = list(grid.send_and_receive(questions))
    for answer in answers:
        if answer.has_error():
            node = answer.metadata.src_node_id
            raise RuntimeError(f"node {node} could not {what}: {answer.error.reason}")
    # Sums of floats depend on their order: sorting makes two runs agree to the last bit.
    answers.sort(key=lambda answer: answer.metadata.src_node_id)
    return [answer.content for answer in answers]


def weighted_mean(replies: list[RecordDict], value):
    """The mean of `value` over all replies, each counting as much as its node has examples."""
    examples = [reply["metrics"]["examples"] for reply in replies]
    return sum(n * value(reply) for n, reply in zip(examples, replies)) / sum(examples)
