"""Starts processes that leave the session of their app, as torchrun, Ray and loky do."""

import subprocess

SLEEP = ["sleep", "600"]
FORKED_TWICE = "setsid sleep 600 > /dev/null 2>&1 & echo $!"


def leave(who: str) -> None:
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "start_new_session": True}
    pids = [
        subprocess.Popen(SLEEP, **quiet).pid,
        subprocess.Popen(SLEEP, env={}, **quiet).pid,
        int(subprocess.check_output(["sh", "-c", FORKED_TWICE])),
    ]
    print(f"{who} has left", *pids, flush=True)
