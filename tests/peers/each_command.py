"""Calls subcommands of the installed `flwr`, one after another in one process.

Reads lists of arguments as JSON. Writes the names of all subcommands, and for each call its exit
status, what it said, and the exception that it let through, if there was one.
"""

import contextlib
import json
import sys

from click.testing import CliRunner
from flwr.cli.app import app
from typer.main import get_command


def names(command, path=()):
    """The subcommands that do something, without those that are aliases."""
    below = getattr(command, "commands", None)
    if below is None:
        if not command.hidden:
            yield " ".join(path)
        return
    for name, sub in below.items():
        yield from names(sub, (*path, name))


def called(words):
    result = CliRunner().invoke(flwr, words, prog_name="flwr")
    error = result.exception
    escaped = None if error is None or isinstance(error, SystemExit) else repr(error)
    return {"code": result.exit_code, "said": line(result.output), "escaped": escaped}


def line(text):
    """The words of a text that may be wrapped in a box."""
    return " ".join(text.replace("│", " ").split())


def chats(name):
    """What `flwr chat` asks of a SuperLink behind its prompt."""
    from flwr.cli.chat import chat_app, chat_connector, chat_history
    from flwr.cli.flower_config import read_superlink_connection
    from flwr.cli.utils import init_http_client_from_connection

    client = init_http_client_from_connection(read_superlink_connection(name))
    federation = "@none/default"
    for ask in [
        lambda: chat_app.fetch_chat_agents(client, federation),
        lambda: chat_app.start_chat_run(client, "hello", federation, None),
        lambda: chat_connector.fetch_chat_connectors(client, federation),
        lambda: chat_history.load_history(client, federation),
    ]:
        try:
            ask()
            yield {"code": 0, "said": "", "escaped": None}
        except Exception as error:
            # The prompt shows those of click, and breaks at others.
            said = getattr(error, "message", None)
            yield {"code": 1, "said": said or "", "escaped": None if said else repr(error)}


flwr = get_command(app)
calls = json.load(sys.stdin)
with contextlib.redirect_stdout(sys.stderr):
    told = {
        "names": list(names(flwr)),
        "outcomes": [called(words) for words in calls],
        "chats": list(chats("e2e")),
    }
print(json.dumps(told))
