# Starts app processes by fork, with what they import already imported.
#
#   python -c <this> PROGRAM
#
# The daemon is on the other end of stdin, a socket. It sends one line a process, with two open
# files that become the process' stdout and stderr:
#
#   {"id": 1, "arguments": ["--flag"], "environment": {"NAME": "value"}, "stay": false}
#
# The variables are added to the environment. The daemon hears {"id": 1, "pid": 7} when the process is there and {"id": 1, "status": 0} (as waitpid
# gives it) when it has ended. With "stay" the program is run here, in this process.
#
# No app is ever run in a process that another is forked from: what is shared is modules of the
# environment, and those only once a process of this server has imported them itself.
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import sysconfig
import threading
import traceback

# They start threads when they are imported, and a fork has none of them.
NOT_AHEAD = {"jax", "jaxlib", "ray", "tensorflow"}

PROGRAM = sys.argv[1]
LINK = socket.socket(fileno=os.dup(0))


def detach_stdin():
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def import_ahead(names):
    for name in names:
        if name.partition(".")[0] in NOT_AHEAD:
            continue
        try:
            importlib.import_module(name)
        except BaseException:
            # The app will meet it too, or did not need it.
            pass


def environment_modules(before):
    """Names of the modules that were imported from the environment, not from an app."""
    paths = sysconfig.get_paths()
    places = tuple(paths[key] + os.sep for key in ("stdlib", "platstdlib", "purelib", "platlib"))
    names = []
    for name, module in list(sys.modules.items()):
        origin = getattr(getattr(module, "__spec__", None), "origin", None) or ""
        if name not in before and (origin.startswith(places) or origin == "built-in"):
            names.append(name)
    return names


def run(request):
    """Runs the program as if it had been started by its name; gives its exit status."""
    os.environ.update(request["environment"])
    sys.argv = [PROGRAM, *request["arguments"]]
    try:
        runpy.run_path(PROGRAM, run_name="__main__")
        return 0
    except SystemExit as leaving:
        if leaving.code is None or isinstance(leaving.code, int):
            return leaving.code or 0
        print(leaving.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass


def reseed():
    """Global random numbers start anew, as in every process; Python sees to its own."""
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        numpy.seed()


def close_channels_aside():
    """Whoever runs one program after the other has no need to wait until the channel of the last
    one is closed, which takes up to 0.2 s where its state is watched."""
    try:
        from grpc._channel import Channel
    except ImportError:
        return
    close = Channel.close

    def close_aside(channel):
        threading.Thread(target=close, args=(channel,), daemon=True).start()

    Channel.close = close_aside


class Server:
    def __init__(self):
        self.children = {}
        self.pending = b""
        self.files = []
        self.stays = False
        self.wake, signalled = socket.socketpair()
        self.wake.setblocking(False)
        signalled.setblocking(False)
        self.signalled = signalled
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(signalled.fileno())

    def serve(self):
        """Serves to the end of the daemon, or gives the status of the child that it became."""
        while True:
            ready, _, _ = select.select([LINK, self.wake], [], [])
            if self.wake in ready:
                self.reap()
            if LINK in ready:
                text, files, _, _ = socket.recv_fds(LINK, 1 << 16, 16)
                if not text:
                    os._exit(0)
                self.files += files
                *lines, self.pending = (self.pending + text).split(b"\n")
                for line in lines:
                    status = self.start(json.loads(line))
                    if status is not None:
                        return status

    def start(self, request):
        output, self.files = self.files[:2], self.files[2:]
        if request["stay"]:
            self.stay(request, output)
            return None
        report, told = os.pipe()
        flush()
        pid = os.fork()
        if pid == 0:
            os.close(report)
            return self.become(request, output, told)
        try:
            os.setpgid(pid, pid)
        except OSError:
            # It did so itself, or has ended.
            pass
        for file in (told, *output):
            os.close(file)
        self.children[pid] = (request["id"], report)
        self.tell({"id": request["id"], "pid": pid})
        return None

    def become(self, request, output, told):
        """In the child: runs the program, and tells what it imported."""
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for file in (self.wake, self.signalled, LINK):
            file.close()
        for _, report in self.children.values():
            os.close(report)
        for number, file in enumerate(output, start=1):
            os.dup2(file, number)
            os.close(file)
        reseed()
        before = set(sys.modules)
        status = run(request)
        names = json.dumps(environment_modules(before)).encode()
        try:
            # What a pipe holds without a reader.
            if len(names) < 1 << 16:
                os.write(told, names)
        except OSError:
            # The server is gone, and with it whoever would profit.
            pass
        os.close(told)
        return status

    def stay(self, request, output):
        """Runs the program here."""
        if not self.stays:
            self.stays = True
            close_channels_aside()
        self.tell({"id": request["id"], "pid": os.getpid()})
        own = [os.dup(1), os.dup(2)]
        for number, file in enumerate(output, start=1):
            os.dup2(file, number)
            os.close(file)
        status = run(request)
        flush()
        for number, file in enumerate(own, start=1):
            os.dup2(file, number)
            os.close(file)
        self.tell({"id": request["id"], "status": status << 8})

    def reap(self):
        try:
            while self.wake.recv(512):
                pass
        except BlockingIOError:
            pass
        while self.children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            number, report = self.children.pop(pid, (None, None))
            if number is None:
                continue
            self.tell({"id": number, "status": status})
            self.learn(report)

    def learn(self, report):
        """What a process imported, the next ones will find imported."""
        os.set_blocking(report, False)
        try:
            with os.fdopen(report, "rb") as file:
                names = file.read()
            import_ahead(json.loads(names or b"[]"))
        except (OSError, ValueError):
            pass

    def tell(self, answer):
        try:
            LINK.sendall(json.dumps(answer).encode() + b"\n")
        except OSError:
            # The daemon is gone: the next look says so.
            pass


detach_stdin()
# As if the program had been started by its name: nothing is imported from the working directory.
sys.path[0] = os.path.dirname(PROGRAM)
import_ahead(["flwr.supernode.cli", "flwr.clientapp"])
sys.exit(Server().serve())
