def told_arguments():
    """The arguments that the daemon writes to stdin, in a line of JSON: other users can read a command
    line, and the token is among the arguments. The process ends where no line comes."""
    import json
    import os

    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    told = json.loads(line)
    os.environ.update(told["environment"])
    arguments = told["arguments"]
    # Between the daemon and this process is the keeper, which lives as long as the daemon. The
    # program of flwr 1.20 ends itself where its parent is another process than it was told of.
    pairs = zip(["", *arguments], arguments)
    return [str(os.getppid()) if flag == "--parent-pid" else value for flag, value in pairs]


