//! What apps do at import, and whether the node may share the process that did it.

/// What a module does at import, and what it sees of it in each round.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) code: &'static str,
    /// Whether its processes may share what was loaded.
    pub(super) shared: bool,
}

const fn shared(name: &'static str, code: &'static str) -> Kind {
    let shared = true;
    Kind { name, code, shared }
}

const fn anew(name: &'static str, code: &'static str) -> Kind {
    let shared = false;
    Kind { name, code, shared }
}

/// Run in one process, one after the other, in both federations.
pub(super) const KINDS: [Kind; 38] = [
    shared("nothing", "def look(): return 'plain'"),
    shared(
        "a variable before an import",
        "import os; os.environ['KIND_BACKEND'] = 'torch'\nimport backendlib\ndef look(): return backendlib.BACKEND",
    ),
    shared(
        "a variable of gRPC's",
        "import os; os.environ['http_proxy'] = 'http://127.0.0.1:9'\ndef look(): return os.environ['http_proxy']",
    ),
    shared(
        "the order of imports",
        "import backendlib, os; os.environ['KIND_BACKEND'] = 'late'\ndef look(): return backendlib.BACKEND",
    ),
    anew(
        "a thread of a library",
        "import threadlib\ndef look(): return threadlib.ask()",
    ),
    anew(
        "an id of a library",
        "import idlib\ndef look(): return idlib.ID",
    ),
    anew(
        "a uuid",
        "import uuid; ID = uuid.uuid4()\ndef look(): return ID",
    ),
    anew(
        "a temporary directory",
        "import tempfile; DIR = tempfile.mkdtemp()\ndef look(): return DIR",
    ),
    anew(
        "random numbers",
        "import random; N = random.random()\ndef look(): return N",
    ),
    anew(
        "a generator of random numbers",
        "import random; R = random.Random()\ndef look(): return R.random()",
    ),
    anew(
        "random numbers of numpy",
        "import numpy as np; N = np.random.rand()\ndef look(): return N",
    ),
    anew(
        "a generator of numpy",
        "import numpy as np; R = np.random.default_rng()\ndef look(): return R.random()",
    ),
    shared(
        "random numbers later",
        "import random, numpy as np\ndef look(): return random.random(), np.random.rand()",
    ),
    shared(
        "seeds",
        "import random, numpy as np; random.seed(42); np.random.seed(42); N = random.random()\ndef look(): return N, random.random(), np.random.rand()",
    ),
    shared(
        "random numbers of torch later",
        "import torch\ndef look(): return torch.rand()",
    ),
    shared(
        "a seed of torch",
        "import torch; torch.manual_seed(42)\ndef look(): return torch.rand()",
    ),
    anew(
        "random numbers of torch",
        "import torch; N = torch.rand()\ndef look(): return N",
    ),
    shared(
        "a directory of a library that is there",
        "import folderlib\ndef look(): return folderlib.THERE",
    ),
    shared(
        "the lines of a stack",
        "import traceback; traceback.format_stack()\ndef look(): return 'traced'",
    ),
    shared(
        "a socket of a library",
        "import socketlib\ndef look(): return socketlib.HAS_IPV4",
    ),
    anew(
        "a free port",
        "import socket; S = socket.socket(); S.bind(('127.0.0.1', 0)); S.close()\ndef look(): return 'bound'",
    ),
    anew(
        "the time",
        "import datetime; NOW = datetime.datetime.now()\ndef look(): return NOW",
    ),
    anew(
        "a process id",
        "import os; PID = os.getpid()\ndef look(): return PID",
    ),
    anew(
        "random bytes of a library in C",
        "import ssl; S = ssl.RAND_bytes(4).hex()\ndef look(): return S",
    ),
    anew(
        "a process id that C asks for",
        "import functools, os; P = functools.partial(os.getpid)()\ndef look(): return P == os.getpid()",
    ),
    anew(
        "arguments",
        "import sys; A = list(sys.argv)\ndef look(): return A == sys.argv",
    ),
    anew(
        "the id of a thread",
        "import os, threading; T = threading.main_thread().native_id\ndef look(): return T == os.getpid()",
    ),
    anew(
        "what the process has used",
        "import resource; U = resource.getrusage(resource.RUSAGE_SELF)\ndef look(): return U.ru_utime >= 0",
    ),
    shared(
        "a handler of the program's log",
        "import logging; SEEN = []\nclass H(logging.Handler):\n    def emit(self, record): SEEN.append(record)\nlogging.getLogger('flwr').addHandler(H())\ndef look(): return len(SEEN)",
    ),
    shared(
        "a patched class",
        "import logging; COUNT = [0]; handle = logging.Logger.handle\ndef counted(self, record):\n    COUNT[0] += 1\n    return handle(self, record)\nlogging.Logger.handle = counted\ndef look(): return COUNT[0]",
    ),
    anew(
        "a file of its own",
        "import pathlib; FILE = pathlib.Path('STATE'); N = len(FILE.read_text()) if FILE.exists() else 0\ndef look():\n    FILE.write_text('x' * (N + 1))\n    return N",
    ),
    shared(
        "a module of its own making",
        "import sys, types; fake = types.ModuleType('tabnanny'); fake.KIND = 'fake'; sys.modules['tabnanny'] = fake\nimport tabnanny\ndef look(): return tabnanny.KIND",
    ),
    shared(
        "a patched module",
        "import colorsys; colorsys.rgb_to_hsv = lambda *_: 'patched'\ndef look(): return colorsys.rgb_to_hsv(1, 2, 3)",
    ),
    shared(
        "warnings as errors",
        "import warnings; warnings.simplefilter('error')\ndef look(): return [f[0] for f in warnings.filters[:2]]",
    ),
    shared(
        "logging",
        "import logging; logging.basicConfig(level=7); logging.info('logged at import')\ndef look(): return logging.getLogger().level",
    ),
    shared(
        "arguments and modules",
        "import sys; PATH = sys.path[1:]; MAIN = sys.modules['__main__'].__file__\ndef look(): return MAIN, PATH, len(sys.argv), sys.getprofile(), len(sys.meta_path)",
    ),
    anew("a failure", "raise ValueError('not today')"),
    anew("an end", "import os; os._exit(7)"),
];
