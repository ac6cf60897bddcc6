"""Changes each array, and makes trouble when it is told to."""

import os
import signal

import numpy as np
from flwr.client import ClientApp
from flwr.common import ArrayRecord, Context, Message, MetricRecord, RecordDict

from channel import connections

app = ClientApp()


def fork():
    """A process without anything of this one but its memory."""
    pid = os.fork()
    if pid == 0:
        os._exit(7)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 7


def die_in_transfer():
    """The process ends while a body is half written."""
    write = os.write

    def half(file, data):
        if len(data) > 1 << 20:
            write(file, data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return write(file, data)

    os.write = half


@app.train()
def train(message: Message, context: Context) -> Message:
    trouble = context.run_config["trouble"]
    print(f"the clientapp has {connections()} connections", flush=True)
    if trouble == "fork":
        fork()
    if trouble == "close":
        os.closerange(3, 4096)
    if trouble == "raise":
        raise ValueError("this client has trouble")
    if trouble == "die":
        die_in_transfer()
    value = int(context.node_config["value"])
    *arrays, numbers = message.content["model"].to_numpy_ndarrays()
    arrays = [array * np.uint8(3) + np.uint8(value) for array in arrays]
    model = ArrayRecord([*arrays, np.sin(numbers + value / 7)])
    answer = {"model": model, "metrics": MetricRecord({"value": value})}
    return Message(RecordDict(answer), reply_to=message)
