#!/usr/bin/env python3
"""Runs a daemon in a container of the image that is installed beside: `flwrd superlink FLAGS`.

Its folder has a folder `bin` with this file, and a link `image` to an image that umoci has unpacked. The container
has the network and the temporary folder of this machine, in which a test keeps keys and states.
"""

import json
import os
import subprocess
import sys
import tempfile

daemon = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
image = os.path.realpath(os.path.join(daemon, "image", "bundle"))
runc = ["/usr/sbin/runc" if os.path.exists("/usr/sbin/runc") else "runc", "--root", os.path.join(daemon, "runc")]
container = f"flower-swap-{os.path.basename(daemon)}"

with open(os.path.join(image, "config.json"), encoding="utf-8") as file:
    config = json.load(file)
process = config["process"]
path = [variable for variable in process["env"] if variable.startswith("PATH=")]
others = [f"{name}={value}" for name, value in os.environ.items() if name != "PATH"]
process.update(
    args=[f"flower-{sys.argv[1]}", *sys.argv[2:]],
    env=path + others,
    cwd=os.getcwd(),
    terminal=False,
    user={"uid": os.getuid(), "gid": os.getgid()},
    capabilities={},
    noNewPrivileges=True,
)
config["root"] = {"path": os.path.join(image, "rootfs"), "readonly": True}
temporary = tempfile.gettempdir()
config["mounts"].append(
    {"destination": temporary, "type": "bind", "source": temporary, "options": ["rbind", "nosuid", "nodev", "rw"]}
)
spaces = config["linux"]["namespaces"]
config["linux"]["namespaces"] = [space for space in spaces if space["type"] != "network"]

bundle = os.path.join(daemon, "container")
os.makedirs(bundle, exist_ok=True)
with open(os.path.join(bundle, "config.json"), "w", encoding="utf-8") as file:
    json.dump(config, file)
# A container whose runc was killed goes on without it.
subprocess.run([*runc, "delete", "--force", container], stderr=subprocess.DEVNULL, check=False)
os.execvp(runc[0], [*runc, "run", "--no-new-keyring", "--bundle", bundle, container])
