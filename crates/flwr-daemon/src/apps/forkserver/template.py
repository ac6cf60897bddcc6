# Loads an app as `flwr-clientapp` does, once, for the messages of a run.
import logging
import os
import signal
import sys
import warnings

# Where `flwr-clientapp` loads an app (flwr 1.20 to 1.34). The functions that it calls for that have
# moved between the releases: each is looked up in the module that defines it.
RUNTIME = "flwr.supernode.runtime.run_clientapp"


class Unknown(Exception):
    """This release of flwr loads apps in another way."""


class State:
    """What an app may change at import, of what the program needs before it comes to the app."""

    def __init__(self):
        self.environment = dict(os.environ)
        self.directory = os.getcwd()
        self.paths = list(sys.path)
        self.filters = list(warnings.filters)
        known = logging.root.manager.loggerDict.values()
        self.loggers = [
            (logger, kept(logger), [(handler, kept(handler)) for handler in logger.handlers])
            for logger in [logging.root, *known]
            if isinstance(logger, logging.Logger)
        ]
        self.disable = logging.root.manager.disable

    def put(self):
        self.put_loggers()
        for name in set(os.environ) - set(self.environment):
            del os.environ[name]
        for name, value in self.environment.items():
            if os.environ.get(name) != value:
                os.environ[name] = value
        if os.getcwd() != self.directory:
            os.chdir(self.directory)
        sys.path[:] = self.paths
        if warnings.filters != self.filters:
            warnings.filters[:] = self.filters
            warnings._filters_mutated()


    def put_loggers(self):
        """The program logs before it comes to the app."""
        for logger, state, handlers in self.loggers:
            vars(logger).update(state, handlers=[handler for handler, _ in handlers])
            for handler, of_handler in handlers:
                vars(handler).update(of_handler)
        manager = logging.root.manager
        manager.disable = self.disable
        manager._clear_cache()


def kept(owner):
    """What an app may set of a logger or handler."""
    names = ("level", "propagate", "disabled", "formatter", "stream")
    state = {name: vars(owner)[name] for name in names if name in vars(owner)}
    return {**state, "filters": list(owner.filters)}


class Template:
    """An app that was loaded, and what the process was before and after."""

    def __init__(self, app, arguments, fab):
        try:
            runtime = sys.modules[RUNTIME]
            install, get_load = runtime.install_from_fab, runtime.get_load_client_app_fn
            self.loading = sys.modules[get_load.__module__]
            self.load_app = self.loading.load_app
            self.finding = sys.modules[self.load_app.__module__]
        except (KeyError, AttributeError) as error:
            raise Unknown(str(error)) from None
        # Releases from 1.31 on do not keep the path of the last app.
        self.current = vars(self.finding).get("_current_sys_path", MISSING)
        set_arguments(arguments)
        sys.modules["__main__"] = MAIN
        # Releases from 1.27 on find Flower's directory by FLWR_HOME.
        directory = getattr(runtime, "get_flwr_dir", None)
        home = directory and directory(app["flwr_dir"])
        install(fab, skip_prompt=True, **({"flwr_dir": home} if home else {}))
        place = {"flwr_dir": str(home)} if home else {}
        load = get_load(default_app_ref="", app_path=None, multi_app=True, **place)
        flush()
        self.handlers = Handlers(runtime)
        self.before = State()
        self.output = Output()
        self.watch = Watch()
        try:
            with self.watch:
                load(app["fab_id"], app["fab_version"], app["fab_hash"])
        finally:
            self.output.stop()
        self.handlers.take()
        self.after = State()
        self.replaced = self.watch.before.replaced()
        self.random = random.getstate() if self.watch.random.fixed else None

    def enter(self):
        """In the process of a message: the program begins as if nothing was loaded, and finds it
        loaded when it comes to the app."""
        if self.random is not None:
            random.setstate(self.random)
        put(vars(self.finding), "_current_sys_path", self.current)
        self.before.put()
        for owner, name, original, _ in self.replaced:
            put(owner, name, original)
        self.loading.load_app = self.hand_over

    def hand_over(self, *arguments, **named):
        self.loading.load_app = self.load_app
        self.handlers.put()
        self.output.repeat()
        directory = self.after.paths
        current = list(sys.path)
        self.after.put()
        sys.path[:] = current
        for owner, name, _, now in self.replaced:
            put(owner, name, now)
        try:
            return self.load_app(*arguments, **named)
        finally:
            sys.path[:] = directory


class Handlers:
    """The handlers of signals that the program has set when it comes to the app (flwr 1.24 and
    later). While the app is loaded, a function stands for each of them. An app may replace it, or
    keep it to call it."""

    def __init__(self, runtime):
        register = getattr(runtime, "register_signal_handlers", None)
        module = sys.modules.get(getattr(register, "__module__", None))
        self.programs = {}
        self.apps = {}
        self.first = {}
        self.standing = {}
        for number in getattr(module, "SIGNAL_TO_EXIT_CODE", ()):
            self.standing[number] = self.stand_in(number)
            self.first[number] = signal.signal(number, self.standing[number])

    def stand_in(self, number):
        def handler(*arguments):
            return self.programs[number](*arguments)

        return handler

    def take(self):
        """Notes what the app has set, and has the process as the program finds it at its start."""
        for number, first in self.first.items():
            self.apps[number] = signal.signal(number, first)

    def put(self):
        """In the process of a message, when the program comes to the app."""
        for number, handler in self.apps.items():
            self.programs[number] = signal.getsignal(number)
            if handler is not self.standing[number]:
                signal.signal(number, handler)


class Output:
    """What is written while an app is loaded: each process of a message writes it."""

    def __init__(self):
        self.kept = []
        for number in (1, 2):
            own = os.dup(number)
            held = os.memfd_create("output")
            os.dup2(held, number)
            self.kept.append((number, own, held))
        self.written = []

    def stop(self):
        flush()
        for number, own, held in self.kept:
            os.dup2(own, number)
            size = os.lseek(held, 0, os.SEEK_END)
            self.written.append((number, os.pread(held, size, 0)))
            os.close(own)
            os.close(held)

    def repeat(self):
        flush()
        for number, text in self.written:
            while text:
                text = text[os.write(number, text) :]
