# The server. The daemon is on the other end of stdin, a socket. It sends one line a process, with
# two open files that become the process' stdout and stderr:
#
#   {"id": 1, "do": "run", "arguments": ["--flag"]}
#
# With a "channel", an address, one more file comes at the end: the socket of a native channel
# (`channel.py`), which stands for this address.
#
# and hears {"id": 1, "pid": 7} when the process is there and {"id": 1, "status": 0} (as waitpid
# gives it) when it has ended; or {"id": 1, "refused": "a reason"}, and there is no process.
# "stay" in place of "run" runs the program here, in this process.
#
# With "template" and a socket in place of the files, the process that is forked is a server of its
# own, on that socket. The first line that it is sent is a "load", with the app's bundle as a third
# file; after that it forks processes that find the app loaded:
#
#   {"id": 1, "do": "load", "arguments": ["--flag"], "app": {"fab_id": "..", ..}}
#
# Where what it has loaded must not be shared, it becomes the process itself, runs this one message,
# and tells the reason: {"id": 1, "pid": 7, "alone": "a reason"}.
import gc
import json
import os
import random
import select
import signal
import socket
import sys
import threading
import time
import traceback
import warnings

# How long threads may take to be gone that end before a fork.
SETTLE = 0.3


def detach_stdin():
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def set_arguments(arguments):
    sys.argv = [PROGRAM, *arguments]
    sys.orig_argv[1:] = sys.argv


def run(arguments):
    """Runs the program as if it had been started by its name; gives its exit status."""
    set_arguments(arguments)
    sys.modules["__main__"] = MAIN
    try:
        exec(CODE, vars(MAIN))
        return 0
    except SystemExit as leaving:
        if leaving.code is None or isinstance(leaving.code, int):
            return leaving.code or 0
        print(leaving.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1


def with_parent(arguments):
    """The arguments of a process that was forked. The `flwr-clientapp` of flwr 1.20 ends itself
    where its parent is another process than it was told of; later releases ask whether that
    process lives, which is the daemon."""
    start = getattr(sys.modules.get(RUNTIME), "start_parent_process_monitor", None)
    inner = getattr(getattr(start, "__code__", None), "co_consts", ())
    if any("getppid" in getattr(code, "co_names", ()) for code in inner):
        pairs = zip(["", *arguments], arguments)
        return [str(os.getppid()) if flag == "--parent-pid" else value for flag, value in pairs]
    return arguments


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass


def reseed(watch=None):
    """Global random numbers start anew, as in every process, unless the app has seeded them; Python
    sees to its own."""
    numpy = sys.modules.get("numpy.random")
    if numpy is not None and not (watch and watch.numpy and watch.numpy.fixed):
        numpy.seed()
    torch = watch and watch.torch
    if torch and not torch.fixed:
        # That of the CPU: those of GPUs are made when a process comes to use a GPU.
        torch.module.default_generator.seed()


def tell_thread():
    """Before Python 3.13 a fork's main thread has the id of the process that was forked."""
    threading = sys.modules.get("threading")
    renew = threading and getattr(threading.main_thread(), "_set_native_id", None)
    if renew is not None:
        renew()


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


class NoThreads:
    """Stands for the module `threading`, and starts nothing."""

    def Thread(self, *_, **__):
        return self

    def start(self):
        pass


def run_again(arguments, again):
    """Runs the program in a process that runs it once a message. Releases from 1.24 on set handlers
    of signals, and have a thread end the process soon after the program has."""
    if again:
        # The thread of the first message goes on looking after the parent.
        pairs = list(zip(["", *arguments], [*arguments, ""]))
        arguments = [to for of, to in pairs[:-1] if "--parent-pid" not in (of, to)]
    leave = getattr(sys.modules.get(RUNTIME), "flwr_exit", None)
    leaving = sys.modules.get(getattr(leave, "__module__", None))
    threads = getattr(leaving, "threading", None)
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    if threads is not None:
        leaving.threading = NoThreads()
    try:
        return run(arguments)
    finally:
        if threads is not None:
            leaving.threading = threads
        for number, handler in before.items():
            now = getattr(signal.getsignal(number), "__module__", None) or ""
            if now.startswith("flwr."):
                signal.signal(number, handler)


def tasks():
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return threading.active_count()


def settle():
    """Whether this process has one thread only, so that it may fork. Libraries that know of forks
    end their threads before one, and a fork for nothing lets them."""
    if tasks() == 1:
        return True
    pid = fork()
    if pid == 0:
        os._exit(0)
    deadline = time.monotonic() + SETTLE
    ended = False
    while time.monotonic() < deadline:
        ended = ended or os.waitpid(pid, os.WNOHANG)[0] == pid
        if ended and tasks() == 1:
            return True
        time.sleep(0.001)
    if not ended:
        # It waits for a thread that it does not have.
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return tasks() == 1


def fork():
    with warnings.catch_warnings():
        # Python warns of other threads; they are counted here.
        warnings.simplefilter("ignore")
        return os.fork()


def take_output(files):
    for number, file in enumerate(files, start=1):
        os.dup2(file, number)
        os.close(file)


def take_channel(request, files):
    for file in files:
        use_channel(file, request["channel"])


class Link:
    """Lines from the daemon, with the files that come along, and lines to it."""

    def __init__(self, number):
        self.socket = socket.socket(fileno=number)
        self.pending = b""
        self.files = []

    def receive(self):
        """Requests; ends the process when the daemon is gone."""
        try:
            text, files, _, _ = socket.recv_fds(self.socket, 1 << 16, 16, socket.MSG_CMSG_CLOEXEC)
        except OSError:
            text, files = b"", []
        if not text:
            os._exit(0)
        self.files += files
        *lines, self.pending = (self.pending + text).split(b"\n")
        return [json.loads(line) for line in lines]

    def take(self, count):
        files, self.files = self.files[:count], self.files[count:]
        return files

    def tell(self, **answer):
        try:
            self.socket.sendall(json.dumps(answer).encode() + b"\n")
        except OSError:
            # The daemon is gone: the next look says so.
            pass


class Server:
    def __init__(self, link, template=None):
        self.link = link
        self.template = template
        self.children = {}
        self.stays = False
        self.settled = settle()
        if template is None:
            share_modules()
        # A collection in a child would write to each object, and so copy all that is shared.
        gc.freeze()
        self.wake, self.signalled = socket.socketpair()
        self.wake.setblocking(False)
        self.signalled.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.signalled.fileno())

    def serve(self):
        """Serves to the end of the daemon, or gives the status of the child that it became."""
        while True:
            ready, _, _ = select.select([self.link.socket, self.wake], [], [])
            if self.wake in ready:
                self.reap()
            if self.link.socket in ready:
                for request in self.link.receive():
                    status = self.start(request)
                    if status is not None:
                        return status

    def start(self, request):
        number, template = request["id"], request["do"] == "template"
        files = self.link.take(1 if template else 2 + ("channel" in request))
        if request["do"] == "stay":
            self.stay(request, files)
            return None
        refused = self.refuses()
        if refused is None:
            flush()
            pid = fork()
            if pid == 0:
                self.leave()
                return become_template(files[0]) if template else self.become(request, files)
            try:
                os.setpgid(pid, pid)
            except OSError:
                # It did so itself, or has ended.
                pass
            self.children[pid] = number
            self.link.tell(id=number, pid=pid)
        else:
            self.link.tell(id=number, refused=refused)
        for file in files:
            os.close(file)
        return None

    def refuses(self):
        """Why nothing must be forked from this process; to the end of it, where it has threads."""
        count = tasks()
        self.settled = self.settled and count == 1
        if not self.settled:
            return f"a thread was started at import ({count} are running)"
        return self.template and self.template.watch.stale()

    def leave(self):
        """In the child: lets go of what the server has."""
        os.setpgid(0, 0)
        tell_thread()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for file in (self.wake, self.signalled, self.link.socket):
            file.close()
        # Those of other processes.
        for file in self.link.take(len(self.link.files)):
            os.close(file)

    def become(self, request, files):
        """In the child: runs the program."""
        take_output(files[:2])
        reseed(self.template and self.template.watch)
        if self.template is None:
            renew_main()
        else:
            self.template.enter()
        take_channel(request, files[2:])
        return run(with_parent(request["arguments"]))

    def stay(self, request, files):
        """Runs the program here."""
        again, self.stays = self.stays, True
        if not again:
            close_channels_aside()
        self.link.tell(id=request["id"], pid=os.getpid())
        own = [os.dup(1), os.dup(2)]
        take_output(files[:2])
        take_channel(request, files[2:])
        status = run_again(request["arguments"], again)
        flush()
        take_output(own)
        self.link.tell(id=request["id"], status=status << 8)

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
            number = self.children.pop(pid, None)
            if number is not None:
                self.link.tell(id=number, status=status)


def become_template(number):
    """In a child: loads an app, and serves, or runs the first message."""
    link = Link(number)
    requests = []
    while not requests:
        requests = link.receive()
    request = requests[0]
    out, err, bundle, *channel = link.take(3 + ("channel" in request))
    output = [out, err]
    with os.fdopen(bundle, "rb") as file:
        fab = file.read()
    reseed()
    refused = None
    try:
        template = Template(request["app"], request["arguments"], fab)
    except Unknown as error:
        refused = f"this release of flwr loads apps in another way ({error})"
    except BaseException as error:
        # The process of the message meets it too, and says so to the ServerApp.
        refused = f"loading the app raised {type(error).__name__}"
    if refused is not None:
        link.tell(id=request["id"], refused=refused)
        os._exit(0)
    server = None
    if template.watch.reason is None:
        server = Server(link, template)
        template.watch.reason = server.refuses()
        if template.watch.reason is None:
            link.files = output + channel
            status = server.start({**request, "do": "run"})
            return server.serve() if status is None else status
    link.tell(id=request["id"], pid=os.getpid(), alone=template.watch.reason)
    if server is None:
        link.socket.close()
    else:
        server.leave()
    take_output(output)
    template.enter()
    take_channel(request, channel)
    return run(with_parent(request["arguments"]))


def serve():
    link = Link(os.dup(0))
    detach_stdin()
    return Server(link).serve()


sys.exit(serve())
