"""One node: it answers the question that the server asks in each round."""

from flwr.app import Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


@app.query()
def answer(message: Message, context: Context) -> Message:
    """Answer one question of the server."""
    server_round = int(message.content["question"]["server-round"])

    # `flwr up` tells each node which part of the data is its own. A node started
    # without --node-config takes part 0 of 1, so two such nodes give the same answer.
    partition_id = int(context.node_config.get("partition-id", 0))
    num_partitions = int(context.node_config.get("num-partitions", 1))

    # YOUR CODE: work with the data of this node. Only what you put into the reply
    # leaves the machine.
    value = server_round + partition_id / num_partitions

    # A MetricRecord holds numbers. There are also ArrayRecord for the weights of a
    # model and ConfigRecord for text and settings.
    reply = RecordDict({"answer": MetricRecord({"value": value})})
    return Message(reply, reply_to=message)
