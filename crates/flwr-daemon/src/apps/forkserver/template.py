# Loads an app as `flwr-clientapp` does, once, for the messages of a run.
import logging
import os
import sys
import warnings

# Where the parts of `flwr-clientapp` are that load an app (flwr 1.20 to 1.22).
RUNTIME = "flwr.supernode.runtime.run_clientapp"
LOADING = "flwr.client.clientapp.utils"
FINDING = "flwr.common.object_ref"


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
            runtime, self.loading = sys.modules[RUNTIME], sys.modules[LOADING]
            self.finding = sys.modules[FINDING]
            install, directory = runtime.install_from_fab, runtime.get_flwr_dir
            get_load, self.load_app = runtime.get_load_client_app_fn, self.loading.load_app
            self.current = self.finding._current_sys_path
        except (KeyError, AttributeError) as error:
            raise Unknown(str(error)) from None
        set_arguments(arguments)
        sys.modules["__main__"] = MAIN
        home = directory(app["flwr_dir"])
        install(fab, flwr_dir=home, skip_prompt=True)
        load = get_load(default_app_ref="", app_path=None, multi_app=True, flwr_dir=str(home))
        flush()
        self.before = State()
        self.output = Output()
        self.watch = Watch()
        try:
            with self.watch:
                load(app["fab_id"], app["fab_version"], app["fab_hash"])
        finally:
            self.output.stop()
        self.after = State()
        self.replaced = self.watch.before.replaced()
        self.random = random.getstate() if self.watch.random.fixed else None

    def enter(self):
        """In the process of a message: the program begins as if nothing was loaded, and finds it
        loaded when it comes to the app."""
        if self.random is not None:
            random.setstate(self.random)
        self.finding._current_sys_path = self.current
        self.before.put()
        for owner, name, original, _ in self.replaced:
            put(owner, name, original)
        self.loading.load_app = self.hand_over

    def hand_over(self, *arguments, **named):
        self.loading.load_app = self.load_app
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
