# What a process has that an app may change at import, and how it was before.
import os
import random
import signal
import sys


class Generator:
    """A global generator of random numbers. If an app has seeded it before it drew, then the
    numbers of each process are the same, and are to go on from there."""

    def __init__(self, state, module):
        self.state = state
        self.module = module
        self.first = state()
        self.fixed = False
        self.spent = False

    def fixes(self, original):
        def seed(*arguments, **named):
            if not self.fixed and self.state() != self.first:
                self.spent = True
            result = original(*arguments, **named)
            given = arguments[0] if arguments else named.get("seed", named.get("a"))
            self.fixed = given is not None
            self.spent = self.spent or given is None
            return result

        return seed

    def is_spent(self):
        return self.spent or not self.fixed and self.state() != self.first


def repr_state(state):
    """numpy's state, to be compared."""
    return tuple(part.tobytes() if hasattr(part, "tobytes") else part for part in state)


MISSING = object()


class Surroundings:
    """What belongs to the process, and is not passed on by a fork or not put back before the
    program has come to the app."""

    def __init__(self):
        self.signals = handlers()
        self.files = files()
        self.environment = os.environ
        self.functions = {
            name: {key: value for key, value in vars(module).items() if callable(value)}
            for name, module in list(sys.modules.items())
            if type(module) is type(sys) and name != "__main__"
        }
        self.modules = dict(sys.modules)
        self.classes = [
            (value, dict(vars(value)))
            for name, members in self.functions.items()
            for value in members.values()
            if isinstance(value, type) and value.__module__ == name and can_be_changed(value)
        ]

    def changed(self):
        if handlers() != self.signals or any(signal.getitimer(signal.ITIMER_REAL)):
            return "set a signal handler or a timer"
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            return "started a process"
        except ChildProcessError:
            pass
        for number in files() - self.files:
            return f"opened {target(number)} and keeps it open"
        if os.environ is not self.environment:
            return "replaced os.environ"
        for name, module in self.modules.items():
            if sys.modules.get(name) is not module:
                return f"replaced the module {name}"
        return None

    def replaced(self):
        """Members of earlier modules and classes that are others now, or are gone: where, and both.
        It is asked once: what was kept to compare is let go."""
        kept = [(vars(self.modules[name]), members) for name, members in self.functions.items()]
        kept += [(owner, members) for owner, members in self.classes]
        self.functions, self.classes = {}, []
        found = []
        for owner, members in kept:
            now = owner if isinstance(owner, dict) else vars(owner)
            for key, value in members.items():
                if now.get(key, MISSING) is not value and key not in UNCHANGED:
                    found.append((owner, key, value, now.get(key, MISSING)))
        return found


# Python itself renews them.
UNCHANGED = {"__abstractmethods__", "__annotations__", "__dict__", "__doc__", "__weakref__", "_abc_impl"}


def can_be_changed(owner):
    is_made_at_runtime = 1 << 9
    return bool(owner.__flags__ & is_made_at_runtime)


def put(owner, key, value):
    """Makes this the member of a module's dictionary or of a class."""
    if isinstance(owner, dict):
        if value is MISSING:
            owner.pop(key, None)
        else:
            owner[key] = value
    elif value is not MISSING:
        type.__setattr__(owner, key, value)
    elif key in vars(owner):
        type.__delattr__(owner, key)


def handlers():
    return [signal.getsignal(number) for number in signal.valid_signals()]


def files():
    """Open files, but for the one that lists them."""
    try:
        return {int(name) for name in os.listdir("/proc/self/fd") if target(name)}
    except OSError:
        return set()


def target(number):
    try:
        return os.readlink(f"/proc/self/fd/{number}")
    except OSError:
        return None


