# Runs `flwr-serverapp` and makes sure that it ends.
#
#   python -c <this> PROGRAM ARGUMENT ...
#   python -c <this> --wait PROGRAM
#
# The second form does the program's imports first and then waits for a line on stdin, in JSON:
#
#   {"arguments": ["--flag"], "environment": {"NAME": "value"}}
#
# The variables are added to the environment. The process ends where no line comes.
#
# An app that calls sys.exit leaves Flower's heartbeat thread behind, which keeps the process, and
# with it the run, alive for ever (flwr 1.21, 1.22). Threads therefore get a moment to end once
# the program has, in which the last lines of the log are uploaded.
import io
import re

SECONDS = 3.0

WAITS = sys.argv[1] == "--wait"
sys.argv = sys.argv[2:] if WAITS else sys.argv[1:]


class Output(io.TextIOWrapper):
    """A stream that takes every text. Flower's thread that uploads the log would die of a lone
    surrogate, and the run's log would end with it: a surrogate becomes U+FFFD. Flower replaces
    `write` by a function that keeps a copy of the text; the copy is mended, too."""

    SURROGATES = re.compile("[\ud800-\udfff]")

    def __setattr__(self, name, value):
        if name == "write":
            given = value

            def value(text):
                return given(self.mended(text))

        super().__setattr__(name, value)

    def write(self, text):
        return super().write(self.mended(text))

    @classmethod
    def mended(cls, text):
        if not isinstance(text, str) or text.isascii():
            return text
        return cls.SURROGATES.sub("\ufffd", text)


def take_every_text(stream):
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    encoding, buffered = stream.encoding, stream.line_buffering
    return Output(
        stream.detach(), encoding=encoding, errors="backslashreplace", line_buffering=buffered
    )


# Before the program's imports: their log handlers keep the stream that they find.
sys.stdout = sys.__stdout__ = take_every_text(sys.stdout)
sys.stderr = sys.__stderr__ = take_every_text(sys.stderr)

MAIN, CODE = main_module(sys.argv[0])
