# Makes sure that a `flwr-serverapp` ends, where it is started by a wrapper.
#
# Python imports a module of this name at its start. The daemon puts the folder of this file first
# on PYTHONPATH. Processes that the app or the wrapper starts import it, too: the argument that only
# the program itself gets tells it apart. See serverapp.py for what keeps the program alive.
import os
import sys

SECONDS = 3.0


def is_program():
    arguments = getattr(sys, "orig_argv", None) or getattr(sys, "argv", [])
    return "--serverappio-api-address" in arguments


def answer():
    """Tells the daemon, if it asks, which Python this is."""
    file = os.environ.get("FLWR_GUARD_ANSWER")
    if file:
        with open(file, "w") as file:
            file.write(sys.executable)
        os._exit(0)


def guard():
    import threading
    import time

    status = [0]
    leave, shut_down = sys.exit, threading._shutdown

    def noted_exit(code=None):
        status[0] = code if isinstance(code, int) else int(code is not None)
        leave(code)

    def bounded_shutdown():
        deadline = time.monotonic() + SECONDS
        main = threading.main_thread()
        others = [t for t in threading.enumerate() if t is not main and not t.daemon]
        for thread in others:
            thread.join(max(0.0, deadline - time.monotonic()))
        if any(thread.is_alive() for thread in others):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status[0])
        shut_down()

    sys.exit, threading._shutdown = noted_exit, bounded_shutdown


def go_on():
    """Imports the module of this name that would have been imported without this one."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [place for place in sys.path if os.path.abspath(place) != here]
    this = sys.modules.pop(__name__, None)
    try:
        import sitecustomize  # noqa: F401
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
        if this is not None:
            sys.modules[__name__] = this


if __name__ == "sitecustomize":
    if is_program():
        answer()
        guard()
    go_on()
