# How a process that was forked ends. Python takes every module apart at its end, and so writes to all
# that the process shares with the server: half of the CPU time of a small message. What the server had
# imported is kept from that; the app's own modules end as in every process.
import atexit
import gc
import io

# Of itself, and frozen with all else, so that Python never takes apart what is in it.
KEPT = []
KEPT.append(KEPT)
# Python's own, which its end has a use for.
AT_START = frozenset(sys.modules)
SHARED = {}
MAIN_IS_OWN = False


def share_modules():
    """What is imported now belongs to the server."""
    for name, module in sys.modules.items():
        if name not in AT_START and name != "__main__":
            SHARED[name] = module


def flush_files():
    """Those that the app has left in a module of the server, and not closed."""
    for found in gc.get_objects():
        if issubclass(type(found), io.IOBase):
            try:
                found.flush()
            except Exception:
                pass


def renew_main():
    """Gives the process a main module of its own: what is frozen would not be deleted at the end."""
    global MAIN, MAIN_IS_OWN
    module = type(sys)("__main__")
    vars(module).update(vars(MAIN))
    MAIN, MAIN_IS_OWN = module, True


def keep_shared():
    global MAIN
    if not SHARED:
        return
    if MAIN_IS_OWN:
        # Python empties a main module that somebody holds, and deletes the others whole.
        MAIN = None
    flush_files()
    for name, module in SHARED.items():
        if sys.modules.get(name) is module:
            KEPT.append(module)
            del sys.modules[name]


# Before the others, and so after all of them at the end.
atexit.register(keep_shared)
