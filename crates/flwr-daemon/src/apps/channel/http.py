def http_seam(httpx):
    class Transport(httpx.BaseTransport):
        def __init__(self, line, verify):
            self.line, self.verify = line, verify
            self.other = None

        def connected(self):
            """The transport over the network."""
            if self.other is None:
                self.other = httpx.HTTPTransport(verify=self.verify)
            return self.other

        def handle_request(self, request):
            if self.line.lost or "stream" in request.headers.get("accept", ""):
                return self.connected().handle_request(request)
            headers = [
                (name, value)
                for name, value in request.headers.multi_items()
                if name.lower() not in OF_CONNECTION
            ]
            path = request.url.raw_path.decode("ascii")
            head = {"wire": "http", "path": path, "headers": headers}
            seconds = request.extensions.get("timeout", {}).get("read")
            try:
                head, answer = self.line.call(head, (request.read(),), seconds)
                with answer:
                    body = answer.read()
            except Unsent:
                return self.connected().handle_request(request)
            except Lost:
                raise httpx.ReadError("the daemon closed the channel", request=request) from None
            except Late:
                raise httpx.ReadTimeout("timed out", request=request) from None
            headers = [pair for pair in head["headers"] if pair[0] not in OF_CONNECTION]
            return httpx.Response(head["status"], headers=headers, content=body)

        def close(self):
            if self.other is not None:
                self.other.close()

    def Client(*arguments, mounts=None, **named):
        line = line_to(NATIVE["address"])
        if line is not None:
            transport = Transport(line, named.get("verify", True))
            mounts = {**(mounts or {}), f"all://{NATIVE['address']}": transport}
        return httpx.Client(*arguments, mounts=mounts, **named)

    return Seam(httpx, Client=Client)
