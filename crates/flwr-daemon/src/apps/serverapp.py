# Runs `flwr-serverapp` and makes sure that it ends.
#
# An app that calls sys.exit leaves Flower's heartbeat thread behind, which keeps the process, and
# with it the run, alive for ever (flwr 1.21, 1.22). Threads therefore get a moment to end once
# the program has, in which the last lines of the log are uploaded.
import os
import sys

SECONDS = 3.0

sys.argv = sys.argv[1:]
# As if the program had been started by its name: nothing is imported from the working directory.
sys.path[0] = os.path.dirname(sys.argv[0])

import runpy
import threading
import time
import traceback

try:
    runpy.run_path(sys.argv[0], run_name="__main__")
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
