# The native channel: calls over a pair of sockets, one end of which the daemon gave to this process.
# `appio/channel/frame.rs` says what a packet is. Large bodies go through shared memory.
#
# The framework makes its gRPC channel, or its HTTP client, in one module. There the module `grpc` or
# `httpx` is replaced by a `Seam`, which gives the native channel for the daemon's address. Whatever
# cannot go through the channel goes to that address.
import base64
import fcntl
import json
import os
import select
import socket
import struct
import sys
import threading
import time

# Bytes of a body that its packet has; larger ones go through shared memory.
INLINE = 64 << 10
# Bytes of the largest packet, and more.
PACKET = 256 << 10
# Bytes that the system reads or writes at once: fewer than 2 GiB.
AT_ONCE = 1 << 30

GRPC_MODULES = ("flwr.common.grpc", "flwr.supercore.grpc")
HTTP_MODULES = ("flwr.supercore.protobuf.client",)
# Headers that belong to a connection.
OF_CONNECTION = ("connection", "content-length", "host", "transfer-encoding")


class Lost(Exception):
    """The daemon is gone, or the socket. The call may have come there."""


class Unsent(Lost):
    """The same, and the call was not sent."""


class Late(Exception):
    """No answer came in time."""


class Line:
    """Calls to the daemon, of any number of threads. The threads that wait read in turns."""

    def __init__(self, number):
        self.socket = socket.socket(fileno=number)
        self.socket.settimeout(None)
        self.inode = os.fstat(number).st_ino
        self.changed = threading.Condition()
        self.answers = {}
        self.reads = self.lost = False
        self.last = 0
        self.buffer = bytearray(PACKET)

    def is_there(self):
        """Whether the descriptor is the socket's: an app may close what it does not know, and then
        the number is another file's."""
        try:
            return os.fstat(self.socket.fileno()).st_ino == self.inode
        except OSError:
            return False

    def lose(self):
        with self.changed:
            self.lost = True
            self.changed.notify_all()
            if not self.reads:
                self.close()
            elif self.is_there():
                try:
                    # Wakes the thread that reads, which closes the socket: for that thread the number
                    # must not become another file's.
                    self.socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self):
        if self.is_there():
            self.socket.close()
        else:
            self.socket.detach()

    def leave_to_parent(self):
        """In a fork: the channel is the parent's alone."""
        self.changed = threading.Condition()
        self.lost = True
        self.close()

    def call(self, head, parts, seconds):
        """The head of the answer, and its body. The body of the call may be in parts."""
        deadline = None if seconds is None else time.monotonic() + seconds
        with self.changed:
            if self.lost:
                raise Unsent
            self.last += 1
            number = self.last
            self.answers[number] = None
        try:
            self.send({"id": number, **head}, parts)
            head, body, file = self.wait(number, deadline)
            self.answers[number] = None
            return head, Body(body, file, 0 if file is None else head["size"])
        finally:
            with self.changed:
                answer = self.answers.pop(number)
            if answer is not None and answer[2] is not None:
                os.close(answer[2])

    def send(self, head, parts):
        file, size = None, sum(map(len, parts))
        if size > INLINE:
            head["size"] = size
            file = in_memory(parts)
            parts = ()
        head = json.dumps(head).encode()
        packet = (struct.pack("<I", len(head)), head, *parts)
        rights = []
        if file is not None:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", file))]
        try:
            if not self.is_there():
                raise OSError
            self.socket.sendmsg(packet, rights, socket.MSG_NOSIGNAL)
        except OSError:
            self.lose()
            raise Unsent from None
        finally:
            if file is not None:
                os.close(file)

    def wait(self, number, deadline):
        while True:
            with self.changed:
                while self.answers[number] is None and not self.lost and self.reads:
                    self.changed.wait(left(deadline))
                if self.answers[number] is not None:
                    return self.answers[number]
                if self.lost:
                    raise Lost
                self.reads = True
            try:
                self.receive(deadline)
            finally:
                with self.changed:
                    self.reads = False
                    if self.lost:
                        self.close()
                    self.changed.notify_all()

    def receive(self, deadline):
        """Takes the next answer, whosever it is."""
        try:
            if not self.is_there():
                raise OSError
            if deadline is not None:
                ready = select.poll()
                ready.register(self.socket, select.POLLIN)
                if not ready.poll(left(deadline) * 1000):
                    raise Late
            length, rights, _, _ = self.socket.recvmsg_into(
                [self.buffer], socket.CMSG_SPACE(struct.calcsize("2i")), socket.MSG_CMSG_CLOEXEC
            )
            if length == 0:
                raise OSError
        except OSError:
            self.lose()
            raise Lost from None
        files = [number for *_, data in rights for (number,) in struct.iter_unpack("i", data)]
        packet = memoryview(self.buffer)[:length]
        (end,) = struct.unpack_from("<I", packet)
        head = json.loads(bytes(packet[4 : 4 + end]))
        answer = head, bytes(packet[4 + end :]), files[0] if files else None
        with self.changed:
            if head["id"] in self.answers:
                self.answers[head["id"]] = answer
                return
        # Nobody waits for it any more.
        for file in files:
            os.close(file)


def left(deadline):
    if deadline is None:
        return None
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise Late
    return seconds


def in_memory(parts):
    """A file in memory with this body, which nobody can change any more."""
    file = None
    try:
        file = os.memfd_create("flwr-body", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        for part in parts:
            rest = memoryview(part)
            while rest:
                rest = rest[os.write(file, rest[:AT_ONCE]) :]
        seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, seals)
        return file
    except OSError:
        if file is not None:
            os.close(file)
        raise Unsent from None


class Body:
    """The body of an answer: what is here, and then what is in a file in memory."""

    def __init__(self, here, file, size):
        self.here, self.file = here, file
        self.size = len(here) + size

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.file is not None:
            os.close(self.file)

    def read(self, begin=0, size=None):
        """So many bytes, or all."""
        end = self.size if size is None else min(begin + size, self.size)
        parts = [self.here[begin:end]] if begin < len(self.here) else []
        at, end = max(begin - len(self.here), 0), end - len(self.here)
        try:
            while at < end:
                part = os.pread(self.file, min(end - at, AT_ONCE), at)
                if not part:
                    raise Lost
                parts.append(part)
                at += len(part)
        except OSError:
            raise Lost from None
        return parts[0] if len(parts) == 1 else b"".join(parts)
