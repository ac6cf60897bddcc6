#!/usr/bin/env python3
"""Runs a daemon in a container of the image that is installed beside: `flwrd superlink FLAGS`.

Its folder has a folder `bin` with this file, and a link `image` to an unpacked image, whose `container.json` is the
configuration of a container. The container has the network and the temporary folder of this machine, in which a test keeps keys and states.
"""

import json
import os
import subprocess
import sys
import tempfile

daemon = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
image = os.path.realpath(os.path.join(daemon, "image"))
runc = ["/usr/sbin/runc" if os.path.exists("/usr/sbin/runc") else "runc", "--root", os.path.join(daemon, "runc")]
container = f"flower-swap-{os.path.basename(daemon)}"

with open(os.path.join(image, "container.json"), encoding="utf-8") as file:
    config = json.load(file)
process = config["process"]
process["args"] += sys.argv[2:]
# The image's PATH finds the programs of the image.
path = [variable for variable in process["env"] if variable.startswith("PATH=")]
process["env"] = path + [f"{name}={value}" for name, value in os.environ.items() if name != "PATH"]
process["cwd"] = os.getcwd()
temporary = tempfile.gettempdir()
config["mounts"].append(
    {"destination": temporary, "type": "bind", "source": temporary, "options": ["rbind", "nosuid", "nodev", "rw"]}
)

bundle = os.path.join(daemon, "container")
os.makedirs(bundle, exist_ok=True)
with open(os.path.join(bundle, "config.json"), "w", encoding="utf-8") as file:
    json.dump(config, file)
# A container whose runc was killed goes on without it.
subprocess.run([*runc, "delete", "--force", container], stderr=subprocess.DEVNULL, check=False)
os.execvp(runc[0], [*runc, "run", "--no-new-keyring", "--bundle", bundle, container])
