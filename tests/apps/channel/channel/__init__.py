"""A Flower app for tests."""

import os


def connections():
    """How many TCP connections this process has."""
    sockets = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            sockets.add(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:
            # The one by which the folder was read.
            pass
    count = 0
    for table in ("/proc/self/net/tcp", "/proc/self/net/tcp6"):
        with open(table) as lines:
            fields = [line.split() for line in lines][1:]
        established = "01"
        count += sum(f[3] == established and f"socket:[{f[9]}]" in sockets for f in fields)
    return count
