import os
import threading
import time
import traceback


if WAITS:
    sys.argv += told_arguments()
sys.orig_argv[1:] = sys.argv
sys.modules["__main__"] = MAIN

try:
    exec(CODE, vars(MAIN))
    status = 0
except SystemExit as leaving:
    status = leaving.code
    if status is not None and not isinstance(status, int):
        print(status, file=sys.stderr)
        status = 1
except BaseException:
    traceback.print_exc()
    status = 1

deadline = time.monotonic() + SECONDS
others = [t for t in threading.enumerate() if t is not threading.current_thread() and not t.daemon]
for thread in others:
    thread.join(max(0.0, deadline - time.monotonic()))
if any(thread.is_alive() for thread in others):
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status or 0)
sys.exit(status)
