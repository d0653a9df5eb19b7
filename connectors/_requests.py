"""Every request that a client sends, built from values and sent nowhere yet.

This is the protocol's table of routes and headers. A header set is built once for a client and
shared by its requests, so that a herd of equal requests is cheap to compare.
"""

import platform
import string
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final, final
from urllib.parse import quote
from uuid import uuid4

import attrs

from connectors._digests import base64url_digest
from connectors._errors import MissingCredentialsError
from connectors._identity import Identity
from connectors._json import encode_json
from connectors._models import Connection
from connectors._version import __version__
from connectors._wire import encode_segment
from transports import FieldValue, Headers, Request, Secret

_REJECTED: Final = "Base44-Rejected-Token"

# A provider's answer comes inside of another one, escaped or in base64, which makes it longer.
LARGEST_ENVELOPE: Final = 64 * 1024 * 1024
"""Bytes of the answer to `call_api` that are accepted."""


@final
class Requests:
    """Builds the requests of one identity.

    Every method raises `TypeError` or `ValueError` for an identifier that no path can hold, and
    `MissingCredentialsError` where the identity lacks what the route needs.
    """

    __slots__ = ("_as_app", "_as_service", "_as_user", "_base", "_identity")

    def __init__(self, identity: Identity) -> None:
        app = encode_segment(identity.app_id, "app_id")
        self._identity = identity
        self._base = f"{identity.server_url}/api/apps/{app}"
        common = _common(identity).merged(identity.headers).merged(identity.passed_on)
        self._as_user = common.merged(_bearer("Authorization", identity.user_token))
        self._as_app = common.merged(_bearer("Authorization", identity.service_token))
        self._as_service = self._as_app.merged(_bearer("on-behalf-of", identity.user_token))

    def app_connection(self, integration_type: str) -> Request:
        """The token of the account that is connected for the whole app."""
        segment = encode_segment(integration_type, "integration_type")
        return self._app_read(f"/external-auth/tokens/{segment}")

    def workspace_connection(self, connector_id: str) -> Request:
        """The token of a connector of the workspace."""
        segment = encode_segment(connector_id, "connector_id")
        return self._app_read(f"/external-auth/tokens/connectors/{segment}")

    def app_user_connection(self, connector_id: str) -> Request:
        """The token of the current user's own account."""
        segment = encode_segment(connector_id, "connector_id")
        if self._identity.user_token is None:
            raise MissingCredentialsError(
                "The connection of the current app user needs that user's token: give the client "
                "user_token=..., or derive it from the user's request with for_request()"
            )
        return Request(
            "GET", f"{self._base}/app-user-auth/connectors/{segment}/token", self._as_service
        )

    def call_api(self, integration_type: str, call: Mapping[str, object]) -> Request:
        """A call that the service makes with a token that it keeps to itself."""
        segment = encode_segment(integration_type, "integration_type")
        body = encode_json(call, "The call")
        url = f"{self._base}/connectors/{segment}/call"
        return Request("POST", url, self._as_service, body, max_body=LARGEST_ENVELOPE)

    def connect_app_user(self, connector_id: str) -> Request:
        """Begin to connect the current user's own account."""
        segment = encode_segment(connector_id, "connector_id")
        url = f"{self._base}/app-user-auth/connectors/{segment}/initiate"
        return Request("POST", url, self._as_user)

    def disconnect_app_user(self, connector_id: str) -> Request:
        """Forget the current user's own account."""
        segment = encode_segment(connector_id, "connector_id")
        return Request("DELETE", f"{self._base}/app-user-auth/connectors/{segment}", self._as_user)

    def available_integrations(self) -> Request:
        """The types that the app can be connected to."""
        return self._managed("GET", "/available-integrations")

    def list_connectors(self) -> Request:
        """What the app is or was connected to."""
        return self._managed("GET", "/list")

    def authorize(self, integration_type: str, scopes: Sequence[str]) -> Request:
        """Begin to connect a type, with scopes that replace the old ones."""
        segment = encode_segment(integration_type, "integration_type")
        body = encode_json({"scopes": list(scopes)}, "scopes")
        return self._managed("PUT", f"/integrations/{segment}", body)

    def status(self, integration_type: str, connection_id: str | None) -> Request:
        """How far connecting has come."""
        encode_segment(integration_type, "integration_type")
        query = f"integration_type={quote(integration_type, safe='')}"
        if connection_id is not None:
            encode_segment(connection_id, "connection_id")
            query += f"&connection_id={quote(connection_id, safe='')}"
        return self._managed("GET", f"/status?{query}")

    def remove(self, integration_type: str) -> Request:
        """Disconnect a type."""
        segment = encode_segment(integration_type, "integration_type")
        return self._managed("DELETE", f"/integrations/{segment}/remove")

    def _app_read(self, path: str) -> Request:
        # The answer is the same for all users of the app. Without on-behalf-of, requests of
        # different users are equal, and share one fetch.
        always = self._identity.always_on_behalf_of
        return Request("GET", self._base + path, self._as_service if always else self._as_app)

    def _managed(self, method: str, path: str, body: bytes | None = None) -> Request:
        headers = _managing(self._identity)
        return Request(method, f"{self._base}/external-auth{path}", headers, body)


def naming_rejected(request: Request, rejected: Connection) -> Request:
    """A read of a connection that tells the service which token was refused, by its digest.

    So it is another request than the same read without that, and than one of a caller who was
    refused another token: it is not answered by a fetch that began before the refusal.
    """
    field = {_REJECTED: rejected_digest(Secret(rejected.access_token))}
    return attrs.evolve(request, headers=request.headers.merged(field))


def rejected_digest(token: Secret) -> str:
    """What is said of a token that was refused: which one it was, and nothing more."""
    return f"sha256={base64url_digest(token)}"


def _common(identity: Identity) -> Headers:
    return Headers(
        {
            "X-App-Id": _header_text(identity.app_id),
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": _user_agent(),
        }
    )


def _managing(identity: Identity) -> Headers:
    if identity.api_key is not None:
        credential: Mapping[str, FieldValue] = {"api_key": identity.api_key}
    elif identity.user_token is not None:
        credential = _bearer("Authorization", identity.user_token)
    else:
        raise MissingCredentialsError(
            "Management needs the workspace's key or a user's token: give the client api_key=... "
            "or user_token=..."
        )
    common = {
        "Accept": "application/json",
        "Content-Type": "application/json",
        "User-Agent": _user_agent(),
        "X-Request-ID": str(uuid4()),
    }
    return Headers(common).merged(identity.headers).merged(credential)


def _bearer(name: str, token: Secret | None) -> Mapping[str, FieldValue]:
    return {} if token is None else {name: Secret(f"Bearer {token.reveal()}")}


def _header_text(value: str) -> str:
    # A header field is ASCII; an app id need not be. What is ASCII goes out as it is.
    return value if value.isascii() else quote(value, safe=string.punctuation + " ")


@cache
def _user_agent() -> str:
    return f"base44-connectors/{__version__} python/{platform.python_version()}"
