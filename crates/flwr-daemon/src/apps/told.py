def told_line():
    """The line, and the files that came along: stdin is a socket then."""
    import os
    import stat

    if not stat.S_ISSOCK(os.fstat(0).st_mode):
        return sys.stdin.readline(), []
    import socket

    text, files = b"", []
    with socket.socket(fileno=os.dup(0)) as told:
        told.settimeout(None)
        while not text.endswith(b"\n"):
            more, came, _, _ = socket.recv_fds(told, 1 << 16, 1, socket.MSG_CMSG_CLOEXEC)
            files += came
            if not more:
                break
            text += more
    return text.decode(), files


def told_arguments():
    """The arguments that the daemon writes to stdin, in a line of JSON: other users can read a command
    line, and the token is among the arguments. The process ends where no line comes."""
    import json
    import os

    line, files = told_line()
    if not line:
        sys.exit(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    told = json.loads(line)
    os.environ.update(told["environment"])
    if files:
        use_channel(files[0], told["channel"])
    arguments = told["arguments"]
    # Between the daemon and this process is the keeper, which lives as long as the daemon. The
    # program of flwr 1.20 ends itself where its parent is another process than it was told of.
    pairs = zip(["", *arguments], arguments)
    return [str(os.getppid()) if flag == "--parent-pid" else value for flag, value in pairs]


