# Watches a process while it loads an app, and says why the result must not be shared.
#
# A message's process must see what a process of its own would have seen. Loading may therefore be
# done once for all messages of a run only if it would have the same outcome each time. Whatever is
# random, temporary, of its time or of its process makes the outcome differ, and is a reason. The
# checks are strict: a needless reason costs time, a missed reason costs a right result.
import dis
import gc
import os
import random
import signal
import stat
import sys
import threading

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Audit events that are looked at, and are reasons if nothing else is known of them. Events of a
# family begin with its name and a dot.
EVENTS = {
    "open", "os.listdir", "os.scandir",
    "os.chmod", "os.chown", "os.exec", "os.fork", "os.forkpty", "os.kill", "os.killpg", "os.link",
    "os.lockf", "os.mkdir", "os.mkfifo", "os.mknod", "os.posix_spawn", "os.remove", "os.rename",
    "os.rmdir", "os.setxattr", "os.spawn", "os.symlink", "os.system", "os.truncate", "os.utime",
    "pty.spawn", "resource.setrlimit", "sys.addaudithook", "mmap.__new__",
}  # fmt: skip
FAMILIES = ("fcntl.", "ftplib.", "http.client.", "shutil.", "smtplib.", "socket.", "sqlite3.")
FAMILIES += ("subprocess.", "syslog.", "tempfile.", "urllib.")
# What these events tell is the same in each process of the machine.
HARMLESS = {"socket.gethostname"}
# Libraries try so whether the machine has IPv6. A socket that stays open is found by its descriptor.
TRIALS = {"socket.__new__", "socket.bind"}
CLOCKS = {
    "asctime", "clock_gettime", "clock_gettime_ns", "ctime", "gmtime", "localtime", "monotonic",
    "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "process_time_ns",
    "strftime", "thread_time", "thread_time_ns", "time", "time_ns",
}  # fmt: skip
# Functions of `posix` with the same outcome in each process. The working directory, the
# environment and the umask are inherited; files are seen by the audit hook or by `looked_at`.
PURE = {
    "WEXITSTATUS", "WIFEXITED", "WIFSIGNALED", "WTERMSIG", "_path_normpath", "_path_splitroot",
    "_path_splitroot_ex", "chdir", "close", "confstr", "cpu_count", "device_encoding", "fchdir",
    "fspath", "fstat", "get_blocking", "get_inheritable", "get_terminal_size", "getcwd", "getcwdb",
    "getegid", "geteuid", "getgid", "getgroups", "getlogin", "getuid", "isatty", "listdir", "lseek",
    "open", "pathconf", "putenv", "read", "scandir", "sched_getaffinity", "strerror", "sysconf",
    "umask", "uname", "unsetenv",
}  # fmt: skip
# Modules of Python in C whose functions have the same outcome in each process. What they open, draw
# or start is seen in other ways.
EVEN = {
    "_abc", "_ast", "_bisect", "_blake2", "_bz2", "_codecs", "_collections", "_contextvars", "_csv",
    "_datetime", "_decimal", "_elementtree", "_functools", "_hashlib", "_heapq", "_imp", "_io",
    "_json", "_locale", "_lzma", "_md5", "_opcode", "_operator", "_pickle", "_queue", "_random",
    "_sha1", "_sha2", "_sha256", "_sha3", "_sha512", "_signal", "_sre", "_stat", "_statistics",
    "_string", "_struct", "_symtable", "_thread", "_tokenize", "_typing", "_warnings", "_weakref",
    "_zoneinfo", "array", "atexit", "binascii", "builtins", "cmath", "collections", "datetime",
    "errno", "functools", "gc", "io", "itertools", "marshal", "math", "operator", "posix",
    "pyexpat", "re", "sys", "time", "typing", "unicodedata", "warnings", "zlib",
}  # fmt: skip
# What an app's own code must not even refer to while it is loaded: functions written in C call it
# unseen, as `functools.partial` does, and attributes are read without a call.
UNEVEN = CLOCKS | {
    "RAND_bytes", "argv", "current_thread", "get_ident", "get_native_id", "getloadavg", "getpgid",
    "getpgrp", "getpid", "getppid", "getrandom", "getrusage", "getsid", "ident", "main_thread",
    "native_id", "orig_argv", "times", "urandom",
}  # fmt: skip
# The same for libraries that it calls.
GIVEN = {"argv", "orig_argv"}
# Functions of other modules. Whoever starts a thread is followed no more in that thread.
CALLS = {
    ("_thread", "get_native_id"), ("_thread", "start_new_thread"), ("_uuid", "generate_time_safe"),
}  # fmt: skip
# Modules that draw entropy at import, and of which no trace is left that an app could see.
UNSEEN = {
    # A semaphore under a random name tells whether the system has semaphores, and is removed.
    "joblib._multiprocessing_helpers",
    # The key for connections to its children, as of Python's own multiprocessing.
    "multiprocess.process",
    # The examples of its documentation.
    "scipy.stats._new_distributions",
}
# Modules whose functions ask about a path, and the names that the path has there.
PATH_MODULES = {"genericpath", "linecache", "pathlib", "pathlib._local", "posixpath"}
PATH_NAMES = ("newpath", "fullname", "path", "filename", "self", "s", "p")
# Whom a reason names that is of no one module.
APP = "the app"
# How the functions of extension modules are called that tell the time, which cannot be followed.
NOW = {"now", "today", "utcnow"}


def folders(paths):
    """As beginnings of paths, also where they are links."""
    return tuple({form + os.sep for path in paths for form in (path, os.path.realpath(path))})


def packages():
    """Folders of installed packages, those of environments below this one as well."""
    names = ("site-packages", "dist-packages")
    paths = [path for path in sys.path if os.path.basename(path) in names]
    site = sys.modules.get("site")
    if site is not None:
        paths += site.getsitepackages()
        paths += [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    return folders(paths)


VERSION = "python%d.%d" % sys.version_info[:2]
PACKAGES = packages()
STDLIB = folders(
    [os.path.dirname(os.__file__), os.path.join(sys.base_exec_prefix, sys.platlibdir, VERSION)]
)
LOGGING = tuple(os.path.join(path, "logging") + os.sep for path in STDLIB)


def is_stdlib(path):
    return path.startswith(STDLIB) and not path.startswith(PACKAGES)


def is_installed(path):
    return path.startswith(STDLIB + PACKAGES)


def fingerprint(path):
    """What changes when a file, or the list of a directory's entries, does."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_mode, found.st_ino, found.st_dev, found.st_size, found.st_mtime_ns)


def kind_of(path):
    """Whether something is there, for what was not opened. A directory may get entries."""
    found = fingerprint(path)
    return found[:3] if found and stat.S_ISDIR(found[0]) else found


class Loader:
    """Stands before a module's loader until the module is executed."""

    def __init__(self, watch, spec):
        self.watch = watch
        self.spec = spec
        self.loader = spec.loader

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        self.spec.loader = self.loader
        try:
            module.__spec__.loader = self.loader
            module.__loader__ = self.loader
        except AttributeError:
            # A loader may give an object that is no module.
            pass
        self.watch.enter(self.spec)
        try:
            self.loader.exec_module(module)
        finally:
            self.watch.leave(self.spec)

    def __getattr__(self, name):
        return getattr(self.loader, name)


class Watch:
    """Watches while it is entered; `reason` says why the process must not be shared."""

    def __init__(self):
        self.reason = None
        self.active = False
        self.hears = False
        # Modules that are being executed: name, and whether it is one of the environment.
        self.modules = []
        self.looked = {}
        self.read = {}
        self.wrapped = []
        self.random = Generator(random.getstate, None)
        self.numpy = None
        self.torch = None
        self.see_numpy()

    def blame(self, what, module=None):
        """Notes the first reason."""
        if self.active and self.reason is None:
            if module is None:
                module = self.modules[-1][0] if self.modules else APP
            self.reason = f"{module} {what} at import"

    # Modules

    def find_spec(self, name, path=None, target=None):
        for finder in list(sys.meta_path):
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = Loader(self, spec)
                return spec
        return None

    def invalidate_caches(self):
        """Asked of each finder."""

    def enter(self, spec):
        origin = spec.origin or ""
        own = origin not in ("built-in", "frozen") and not is_installed(origin)
        if own and spec.has_location:
            self.read.setdefault(origin, fingerprint(origin))
        self.modules.append((spec.name, own, is_stdlib(origin)))
        self.follow()

    def leave(self, spec):
        self.modules.pop()
        if spec.name == "numpy.random" and self.numpy is None:
            self.see_numpy()
            self.wrap_numpy()
        if spec.name == "torch" and self.torch is None:
            self.see_torch()
        self.follow()

    def follow(self):
        """Calls are followed while modules of the app are executed: its own code is slow to
        follow, and that of libraries too much."""
        found = sys.getprofile()
        if self.active and found in (None, self.profile):
            sys.setprofile(self.profile if self.modules and self.modules[-1][1] else None)
        elif self.active:
            self.blame("set a profile function")

    def see_numpy(self):
        module = sys.modules.get("numpy.random")
        if hasattr(module, "get_state"):
            self.numpy = Generator(lambda: repr_state(module.get_state()), module)

    def see_torch(self):
        module = sys.modules.get("torch")
        if hasattr(module, "get_rng_state") and hasattr(module, "random"):
            self.torch = Generator(lambda: bytes(module.get_rng_state().tolist()), module)
            self.wrap(module, "manual_seed", self.torch.fixes)
            self.wrap(module.random, "manual_seed", self.torch.fixes)

    # Events

    def audit(self, event, arguments):
        if not self.hears or not (event in EVENTS or event.startswith(FAMILIES)):
            return
        caller = sys._getframe(1).f_code.co_filename
        if caller.startswith("<frozen importlib") or event in HARMLESS:
            # Python's import has files of its own: sources, and what it compiled.
            return
        try:
            self.happened(event, arguments)
        except Exception:
            # What is raised here would be raised to the app.
            self.blame(f"called {event}")

    def happened(self, event, arguments):
        installed = self.modules and not self.modules[-1][1]
        if event in TRIALS and installed:
            return
        if event == "open":
            self.opened(*arguments)
        elif event == "os.mkdir" and os.path.isdir(arguments[0]):
            # It fails, as it does in each process.
            self.seen(arguments[0], self.looked)
        elif event in ("os.listdir", "os.scandir"):
            self.seen(arguments[0], self.read)
        elif event != "os.mkdir" or not os.path.isdir(arguments[0]):
            # A directory that is there already is not made.
            self.blame(f"called {event}")

    def opened(self, path, _, flags):
        if not isinstance(path, (str, bytes)):
            return
        path = os.fsdecode(path)
        if path == os.devnull:
            return
        if isinstance(flags, int) and flags & WRITES:
            self.blame(f"opened {path} for writing")
        elif path in ("/dev/urandom", "/dev/random"):
            self.blame(f"read {path}")
        else:
            self.seen(path, self.read)

    def seen(self, path, where):
        """Remembers how something was that the app has looked at."""
        if path is None or isinstance(path, (str, bytes, os.PathLike)):
            path = os.path.join(os.getcwd(), os.fsdecode(path or "."))
            if path.startswith(("/proc/", "/sys/")):
                # They tell libraries of the machine, and apps maybe of the process.
                if self.modules and self.modules[-1][1]:
                    self.blame(f"read {path}")
            elif not is_installed(path):
                where.setdefault(path, fingerprint(path) if where is self.read else kind_of(path))

    def profile(self, frame, event, arg):
        """Follows the calls of the app's own modules, and what these calls call."""
        if self.reason is not None or frame.f_globals is globals():
            return
        code = frame.f_code
        if event == "call":
            if code in THREAD_CODES:
                self.blame(f"called threading.{code.co_name}")
            elif code.co_filename.startswith("<frozen"):
                # Python's own import, and its first modules.
                pass
            elif not is_installed(code.co_filename):
                if self.asks_for_now(code):
                    self.blame("asked for the time")
                self.check(code, UNEVEN)
            else:
                self.check(code, GIVEN)
            return
        if event != "c_call" or code.co_filename.startswith(("<frozen importlib", *LOGGING)):
            return
        name, module = getattr(arg, "__name__", ""), getattr(arg, "__module__", "")
        owner = getattr(arg, "__self__", None)
        if module == "time" and name in CLOCKS:
            self.blame(f"called time.{name}")
        elif name in NOW and isinstance(owner, type):
            self.blame(f"called {owner.__name__}.{name}")
        elif module == "posix" and name not in PURE:
            if name not in ("stat", "lstat", "access") or not self.looked_at(frame):
                self.blame(f"called os.{name}")
        elif (module, name) in CALLS:
            self.blame(f"called {module}.{name}")
        elif module and module in sys.stdlib_module_names and module not in EVEN:
            self.blame(f"called {module}.{name}")

    def check(self, code, names):
        """Looks for attributes that this code reads, and for functions that it was given by name."""
        if names.isdisjoint(code.co_names):
            return
        for read in dis.get_instructions(code):
            if read.argval not in names or not isinstance(read.argval, str):
                continue
            # A module is called `time` as well: it is loaded by its name alone.
            by_name = read.opname in ("LOAD_NAME", "LOAD_GLOBAL") and read.argval != "time"
            if by_name or read.opname in ("LOAD_ATTR", "LOAD_METHOD"):
                self.blame(f"referred to {read.argval}")

    @staticmethod
    def asks_for_now(code):
        texts = (value for value in code.co_consts if isinstance(value, str))
        return not NOW.isdisjoint(code.co_names) or not NOW.isdisjoint(texts)

    def looked_at(self, frame):
        """Whether the path is known that a function of the standard library asks about."""
        if frame.f_globals.get("__name__") not in PATH_MODULES:
            return False
        for name in PATH_NAMES:
            path = frame.f_locals.get(name)
            if isinstance(path, (str, bytes, os.PathLike)):
                self.seen(path, self.looked)
                return True
        return False

    # Entropy

    def wrap(self, owner, name, wrapper):
        original = getattr(owner, name, None)
        if original is not None:
            # What an instance of a class finds there is kept as it is in the class.
            kept = vars(owner).get(name, original)
            made = wrapper(original)
            setattr(owner, name, made)
            self.wrapped.append((owner, name, kept, made))

    def draws(self, original):
        def draw(*arguments, **named):
            self.drawn()
            return original(*arguments, **named)

        return draw

    def seeds(self, original):
        def seed(generator, a=None, *arguments, **named):
            if a is None:
                self.drawn()
            return original(generator, a, *arguments, **named)

        return seed

    def drawn(self):
        name, _, stdlib = self.modules[-1] if self.modules else (APP, True, False)
        if not (stdlib or name in UNSEEN or name.partition(".random")[0] == "numpy"):
            self.blame("drew random bytes")

    def wrap_numpy(self):
        if self.numpy is not None:
            self.wrap(self.numpy.module, "seed", self.numpy.fixes)

    # From beginning to end

    def __enter__(self):
        self.before = Surroundings()
        sys.addaudithook(self.audit)
        self.wrap(os, "urandom", self.draws)
        self.wrap(os, "getrandom", self.draws)
        self.wrap(random, "_urandom", self.draws)
        self.wrap(random.Random, "seed", self.seeds)
        self.wrap(random, "seed", self.random.fixes)
        self.wrap_numpy()
        sys.meta_path.insert(0, self)
        self.active = self.hears = True

    def __exit__(self, *_):
        """Takes every hook away, and looks at what has changed."""
        self.hears = False
        found = sys.getprofile()
        if found not in (None, self.profile):
            self.blame("set a profile function", APP)
        else:
            sys.setprofile(None)
        try:
            sys.meta_path.remove(self)
        except ValueError:
            self.blame("replaced sys.meta_path", APP)
        for owner, name, original, made in reversed(self.wrapped):
            if vars(owner).get(name) is made:
                setattr(owner, name, original)
            else:
                self.blame(f"replaced {owner.__name__}.{name}", APP)
        self.put_back()
        generators = (self.random, self.numpy, self.torch)
        if any(generator is not None and generator.is_spent() for generator in generators):
            self.blame("drew random numbers", APP)
        changed = self.before.changed()
        if changed:
            self.blame(changed, APP)
        self.active = False

    def put_back(self):
        """Whoever imported a wrapped function by its name gets the function itself."""
        originals = {id(made): original for _, _, original, made in self.wrapped}
        for holder in gc.get_referrers(*(made for *_, made in self.wrapped)):
            if isinstance(holder, dict) and "__spec__" in holder:
                for name, value in list(holder.items()):
                    if id(value) in originals:
                        holder[name] = originals[id(value)]

    def stale(self):
        """Why what was loaded is no longer what would be loaded now."""
        for path, was in self.read.items():
            if fingerprint(path) != was:
                return f"{path}, which the app read at import, has changed"
        for path, was in self.looked.items():
            if kind_of(path) != was:
                return f"{path}, which the app looked for at import, has changed"
        return None


# What they tell differs: the program has threads when it comes to the app.
THREAD_CODES = {threading.enumerate.__code__, threading.active_count.__code__}
