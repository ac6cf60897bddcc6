class Seam:
    """Stands for a module in the one place where the framework makes its channel."""

    def __init__(self, module, **replaced):
        self.__module = module
        vars(self).update(replaced)

    def __getattr__(self, name):
        return getattr(self.__module, name)


# The line of this process, and the address that it stands for.
NATIVE = {"line": None, "address": None}


def line_to(address):
    line = NATIVE["line"]
    return line if line is not None and not line.lost and address == NATIVE["address"] else None


def grpc_seam(grpc):
    make = grpc_maker(grpc)

    def insecure_channel(target, *arguments, **named):
        def connect():
            return grpc.insecure_channel(target, *arguments, **named)

        line = line_to(target)
        return connect() if line is None else make(line, connect)

    def secure_channel(target, *arguments, **named):
        def connect():
            return grpc.secure_channel(target, *arguments, **named)

        line = line_to(target)
        return connect() if line is None else make(line, connect)

    return Seam(grpc, insecure_channel=insecure_channel, secure_channel=secure_channel)


def grpc_maker(grpc):
    """What makes a `grpc.Channel` of a line, and of a function that connects by gRPC."""
    codes = {code.value[0]: code for code in grpc.StatusCode}

    class Outcome:
        """What a call object tells of a call that is over."""

        def __init__(self, code, details="", headers=()):
            self._code, self._details, self._headers = code, details, headers

        def code(self):
            return self._code

        def details(self):
            return self._details

        def initial_metadata(self):
            return tuple(metadatum(*header) for header in self._headers)

        trailing_metadata = initial_metadata

        def debug_error_string(self):
            return self._details

        def is_active(self):
            return False

        def time_remaining(self):
            return None

        def cancel(self):
            return False

        def cancelled(self):
            return False

        def running(self):
            return False

        def done(self):
            return True

        def add_callback(self, _):
            return False

        def add_done_callback(self, callback):
            callback(self)

        def traceback(self, timeout=None):
            return None

    class Failure(Outcome, grpc.RpcError):
        def __str__(self):
            return f"{self._code}: {self._details}"

        __repr__ = __str__

        def result(self, timeout=None):
            raise self

        def exception(self, timeout=None):
            return self

    class UnaryUnary(grpc.UnaryUnaryMultiCallable):
        def __init__(self, channel, path, serialize, deserialize):
            self._channel, self._path = channel, path
            self._serialize, self._deserialize = serialize, deserialize

        def __call__(self, request, *arguments, **named):
            return self.with_call(request, *arguments, **named)[0]

        def _connected(self):
            return self._channel._connected().unary_unary(
                self._path, self._serialize, self._deserialize
            )

        def future(self, request, *arguments, **named):
            return self._connected().future(request, *arguments, **named)

        def with_call(self, request, timeout=None, metadata=None, *arguments, **named):
            line = self._channel._line
            if self._channel._closed:
                raise ValueError("Cannot invoke RPC on closed channel!")
            try:
                parts = parts_of(request, self._serialize)
            except Exception:
                raise Failure(grpc.StatusCode.INTERNAL, "Exception serializing request!") from None
            headers = [header_of(*pair) for pair in metadata or ()]
            if timeout is not None:
                headers.append(("grpc-timeout", f"{min(max(int(timeout * 1000), 1), 10**8 - 1)}m"))
            head = {"wire": "grpc", "path": self._path, "headers": headers}
            try:
                head, body = line.call(head, parts, timeout)
            except Unsent:
                del parts
                call = self._connected().with_call
                return call(request, timeout, metadata, *arguments, **named)
            except Lost:
                why = "the daemon closed the channel"
                raise Failure(grpc.StatusCode.UNAVAILABLE, why) from None
            except Late:
                raise Failure(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded") from None
            with body:
                return self._told(head, body)

        def _told(self, head, body):
            headers = dict(head["headers"])
            code = codes.get(int(headers.get("grpc-status", 2)), grpc.StatusCode.UNKNOWN)
            if code is not grpc.StatusCode.OK:
                raise Failure(code, unquoted(headers.get("grpc-message", "")), head["headers"])
            try:
                answer = parse(body, self._deserialize)
            except Lost:
                raise Failure(grpc.StatusCode.UNAVAILABLE, "the answer cannot be read") from None
            except Exception:
                why = "Exception deserializing response!"
                raise Failure(grpc.StatusCode.INTERNAL, why) from None
            return answer, Outcome(code, "", head["headers"])

    class Channel(grpc.Channel):
        def __init__(self, line, connect):
            self._line, self._connect = line, connect
            self._other = None
            self._callbacks = []
            self._closed = False
            self._lock = threading.Lock()

        def _connected(self):
            """The channel of gRPC itself."""
            with self._lock:
                if self._other is None:
                    self._other = self._connect()
                    for callback in self._callbacks:
                        self._other.subscribe(callback)
                return self._other

        def unary_unary(
            self, method, request_serializer=None, response_deserializer=None, *_, **__
        ):
            # What else gRPC's own stubs tell is of use to gRPC alone.
            return UnaryUnary(self, method, request_serializer, response_deserializer)

        def unary_stream(self, *arguments, **named):
            return self._connected().unary_stream(*arguments, **named)

        def stream_unary(self, *arguments, **named):
            return self._connected().stream_unary(*arguments, **named)

        def stream_stream(self, *arguments, **named):
            return self._connected().stream_stream(*arguments, **named)

        def subscribe(self, callback, try_to_connect=False):
            with self._lock:
                self._callbacks.append(callback)
                if self._other is not None:
                    self._other.subscribe(callback)

        def unsubscribe(self, callback):
            with self._lock:
                self._callbacks = [known for known in self._callbacks if known != callback]
                if self._other is not None:
                    self._other.unsubscribe(callback)

        def close(self):
            self._closed = True
            with self._lock:
                if self._other is not None:
                    self._other.close()

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.close()

    return Channel


def header_of(name, value):
    if name.endswith("-bin"):
        value = base64.b64encode(value).decode().rstrip("=")
    return name, value.decode() if isinstance(value, bytes) else value


def metadatum(name, value):
    if name.endswith("-bin"):
        value = base64.b64decode(value + "=" * (-len(value) % 4))
    return name, value


def unquoted(text):
    from urllib.parse import unquote

    return unquote(text)
