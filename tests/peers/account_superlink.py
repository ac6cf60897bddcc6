"""A SuperLink with accounts, as far as `flwr login` and `flwr ls` see one.

flwr's own interceptor looks at the tokens; what it asks is answered here. Usage:

    account_superlink.py CERTIFICATE KEY MODE

MODE is `good` (the first tokens are good), `stale` (they have expired, and are refreshed) or
`denied` (whoever has tokens may not come in). It prints its port, and each token it is shown.
"""

import sys
import threading
from concurrent import futures

import grpc
from flwr.common.auth_plugin import ControlAuthPlugin, ControlAuthzPlugin
from flwr.common.typing import AccountInfo, UserAuthCredentials, UserAuthLoginDetails
from flwr.proto import control_pb2, control_pb2_grpc
from flwr.superlink.servicer.control.control_user_auth_interceptor import (
    ControlUserAuthInterceptor,
)

ACCESS = "flwr-oidc-access-token"
REFRESH = "flwr-oidc-refresh-token"
POLLS_UNTIL_LOGIN = 2


def say(text):
    print(text, flush=True)


class Accounts(ControlAuthPlugin):
    """Hands out A1 and R1 at a login, and A2 and R2 when these are refreshed."""

    def __init__(self, mode):
        self.mode = mode
        self.polls = 0

    def get_login_details(self):
        return UserAuthLoginDetails("oidc", "device", "https://idp.invalid/login", 60, 1)

    def get_auth_tokens(self, device_code):
        self.polls += 1
        if device_code != "device" or self.polls < POLLS_UNTIL_LOGIN:
            return None
        return UserAuthCredentials("A1", "R1")

    def validate_tokens_in_metadata(self, metadata):
        access = dict(metadata).get(ACCESS, "")
        say(f"shown {access}")
        good = access == "A2" or (access == "A1" and self.mode != "stale")
        return good, AccountInfo("sub-1", "alice")

    def refresh_tokens(self, metadata):
        if dict(metadata).get(REFRESH) != "R1":
            return None, None
        return [(ACCESS, "A2"), (REFRESH, "R2")], AccountInfo("sub-1", "alice")


class Permissions(ControlAuthzPlugin):
    def __init__(self, mode):
        self.mode = mode

    def verify_user_authorization(self, account_info):
        return self.mode != "denied"


class Control(control_pb2_grpc.ControlServicer):
    def __init__(self, accounts):
        self.accounts = accounts

    def GetLoginDetails(self, request, context):
        details = self.accounts.get_login_details()
        return control_pb2.GetLoginDetailsResponse(
            auth_type=details.auth_type,
            device_code=details.device_code,
            verification_uri_complete=details.verification_uri_complete,
            expires_in=details.expires_in,
            interval=details.interval,
        )

    def GetAuthTokens(self, request, context):
        tokens = self.accounts.get_auth_tokens(request.device_code)
        if tokens is None:
            return control_pb2.GetAuthTokensResponse()
        return control_pb2.GetAuthTokensResponse(
            access_token=tokens.access_token, refresh_token=tokens.refresh_token
        )

    def ListRuns(self, request, context):
        if request.HasField("run_id"):
            context.abort(grpc.StatusCode.NOT_FOUND, "Run ID not found")
        return control_pb2.ListRunsResponse(now="2026-11-21T00:00:00+00:00")


def main(certificate, key, mode):
    accounts = Accounts(mode)
    server = grpc.server(
        futures.ThreadPoolExecutor(4),
        interceptors=[ControlUserAuthInterceptor(accounts, Permissions(mode))],
    )
    control_pb2_grpc.add_ControlServicer_to_server(Control(accounts), server)
    with open(key, "rb") as key_file, open(certificate, "rb") as certificate_file:
        pair = (key_file.read(), certificate_file.read())
    credentials = grpc.ssl_server_credentials([pair])
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    say(f"port {port}")
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
