"""Sends random numbers, which have no two equal chunks, and averages what comes back."""

import time

import numpy as np
from flwr.app import ArrayRecord, Context, Message, RecordDict
from flwr.serverapp import Grid, ServerApp

app = ServerApp()


def sent(grid, model, kind):
    """The replies of all nodes."""
    content = RecordDict({"model": ArrayRecord(model)})
    nodes = list(grid.get_node_ids())
    messages = [Message(content, dst_node_id=node, message_type=kind) for node in nodes]
    replies = list(grid.send_and_receive(messages))
    for reply in replies:
        assert not reply.has_error(), reply.error.reason
    return replies


@app.main()
def main(grid: Grid, context: Context) -> None:
    config = context.run_config
    while len(list(grid.get_node_ids())) < config["nodes"]:
        time.sleep(0.1)
    model = [np.random.default_rng(7).random(config["megabytes"] * 125_000)]
    for number in range(1, config["rounds"] + 1):
        print(f"round {number} at {time.time():.6f}", flush=True)
        replies = sent(grid, model, "train")
        models = [reply.content["model"].to_numpy_ndarrays()[0] for reply in replies]
        model = [sum(models[1:], models[0]) / len(models)]
        del replies, models
        means = {reply.content["metrics"]["mean"] for reply in sent(grid, model, "evaluate")}
        print(f"round {number} has the means {sorted(means)}", flush=True)
    print(f"round {config['rounds'] + 1} at {time.time():.6f}", flush=True)
