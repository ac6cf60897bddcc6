"""The server: in each round it asks all nodes and logs the mean of their answers."""

import time
from logging import INFO, WARNING

from flwr.app import ConfigRecord, Context, Message, MessageType, RecordDict
from flwr.common import log
from flwr.serverapp import Grid, ServerApp

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run all rounds. The run is finished when this function returns."""
    num_rounds = int(context.run_config["num-server-rounds"])
    min_nodes = int(context.run_config["min-nodes"])

    for server_round in range(1, num_rounds + 1):
        node_ids = wait_for_nodes(grid, min_nodes)

        # YOUR CODE: what the nodes need to know in this round.
        question = ConfigRecord({"server-round": server_round})

        answers = ask(grid, node_ids, RecordDict({"question": question}))
        if not answers:
            raise RuntimeError(f"no node has answered in round {server_round}")

        # YOUR CODE: what to make of the answers.
        values = [float(answer["answer"]["value"]) for answer in answers]
        mean = sum(values) / len(values)
        log(
            INFO,
            "Round %d of %d: the mean of %d answers is %.3f",
            server_round,
            num_rounds,
            len(values),
            mean,
        )


def wait_for_nodes(grid: Grid, min_nodes: int) -> list[int]:
    """Give the nodes that are online, as soon as there are enough."""
    waited = 0
    while len(node_ids := list(grid.get_node_ids())) < min_nodes:
        if waited % 60 == 0:  # once a minute
            log(
                INFO,
                "%d of %d nodes are online, waiting. Start more SuperNodes, or run "
                'with fewer nodes: --run-config "min-nodes=1"',
                len(node_ids),
                min_nodes,
            )
        time.sleep(2)
        waited += 2
    return node_ids


def ask(grid: Grid, node_ids: list[int], content: RecordDict) -> list[RecordDict]:
    """Send the same message to all nodes, and give what they reply."""
    messages = [
        Message(content, dst_node_id=node_id, message_type=MessageType.QUERY)
        for node_id in node_ids
    ]
    answers = []
    for reply in grid.send_and_receive(messages, timeout=600):
        if reply.has_error():
            node_id = reply.metadata.src_node_id
            log(WARNING, "Node %d has failed: %s", node_id, reply.error.reason)
        else:
            answers.append(reply.content)
    return answers
