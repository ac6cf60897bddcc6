"""What gRPC of pip's flwr makes of certificates: against a server that runs, and by itself.

probe.py ROOTS CERTIFICATE KEY [ADDRESS] prints two words: how it connects to ADDRESS, and how to a
server of its own with these files. `ready`, `refused`, `no server`, or `-` without an address.
"""

import sys
from concurrent import futures

import grpc


def read(path):
    with open(path, "rb") as file:
        return file.read()


def connects(roots, address):
    """Whether a TLS channel to `address` becomes ready, told by its first state that lasts."""
    channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(roots))
    ended = futures.Future()

    def changed(state):
        ends = {
            grpc.ChannelConnectivity.READY: "ready",
            grpc.ChannelConnectivity.TRANSIENT_FAILURE: "refused",
        }
        if state in ends and not ended.done():
            ended.set_result(ends[state])

    channel.subscribe(changed, try_to_connect=True)
    outcome = ended.result(timeout=60)
    channel.close()
    return outcome


def main():
    roots, certificate, key = map(read, sys.argv[1:4])
    running = connects(roots, sys.argv[4]) if len(sys.argv) > 4 else "-"
    server = grpc.server(futures.ThreadPoolExecutor(1))
    try:
        credentials = grpc.ssl_server_credentials([(key, certificate)])
        port = server.add_secure_port("127.0.0.1:0", credentials)
    except Exception:
        port = 0
    if not port:
        print(f"{running},no server")
        return
    server.start()
    print(f"{running},{connects(roots, f'127.0.0.1:{port}')}")
    server.stop(None)


main()
