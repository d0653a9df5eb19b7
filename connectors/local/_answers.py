"""Answers of the local backend: JSON that nobody may keep, and refusals in the protocol's words.

A handler returns an answer or raises a `Refusal`. Whatever else is raised is turned into an answer
here too: what its caller can do about it goes over the wire, what only the backend's owner may know
(a path, a line of code) goes into an event. Neither holds a token.
"""

import json
from collections.abc import Mapping
from pathlib import PurePath
from traceback import extract_tb
from typing import Final

import attrs

from connectors._events import emit
from connectors.local._errors import (
    VaultBusyError,
    VaultDamagedError,
    VaultError,
    VaultForeignError,
    VaultKeyError,
    VaultPermissionError,
    VaultSchemaError,
    VaultStorageError,
    VaultUsageError,
)
from connectors.local._records import StoredConnection
from transports import Headers, Response

_FIELDS: Final = Headers({"content-type": "application/json", "cache-control": "no-store"})


def answer(
    data: Mapping[str, object], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """JSON that holds no secret."""
    fields = _FIELDS.merged(headers) if headers else _FIELDS
    return Response(status, fields, json.dumps(data).encode("ascii"), source="local")


def encoded_answer(body: bytes) -> Response:
    """JSON that is encoded already."""
    return Response(200, _FIELDS, body, source="local")


def connection_answer(connection: StoredConnection, config: Mapping[str, str] | None) -> Response:
    """A connection with its token and some of its values: the one answer that holds a secret."""
    return Response(200, _FIELDS, _connection_json(connection, config), source="local")


def _connection_json(connection: StoredConnection, config: Mapping[str, str] | None) -> bytes:
    assert connection.access_token is not None
    return json.dumps(
        {
            "access_token": connection.access_token.reveal(),
            "integration_type": connection.integration_type,
            "connection_config": None if config is None else dict(config),
        }
    ).encode("ascii")


class Refusal(Exception):  # noqa: N818 - it is an answer.
    """Raised when a request gets an answer with an error status."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(status, detail)
        body = {"detail": detail, "code": code} if code else {"detail": detail}
        self.response = answer({**(more or {}), **body}, status, headers)
        """The answer."""


def unauthorized() -> Refusal:
    """No credential, or a wrong one; RFC 9110 demands that the answer names the scheme."""
    return Refusal(401, "Unauthorized", headers={"www-authenticate": "Bearer"})


def not_connected() -> Refusal:
    """There is no such connection."""
    return Refusal(404, "Connector connection not found", code="NOT_FOUND")


def not_supported(detail: str) -> Refusal:
    """The hosted service can do this and the local backend can't."""
    return Refusal(501, detail, code="NOT_SUPPORTED")


@attrs.frozen
class _Failure:
    status: int
    code: str
    detail: str


_FAILURES: Final[Mapping[type[VaultError], _Failure]] = {
    VaultKeyError: _Failure(
        500,
        "VAULT_KEY",
        "The key of the local vault is missing, or not the one that the vault was made with; "
        "give the backend the right key",
    ),
    VaultSchemaError: _Failure(
        500,
        "VAULT_SCHEMA",
        "A newer release of base44-connectors has made or changed the local vault; update this one",
    ),
    VaultForeignError: _Failure(
        500, "VAULT_FOREIGN", "The file of the local vault is something else; choose another path"
    ),
    VaultDamagedError: _Failure(
        500, "VAULT_DAMAGED", "The local vault is damaged; restore a backup"
    ),
    VaultPermissionError: _Failure(
        500,
        "VAULT_PERMISSION",
        "The local vault can't be opened, or others may read it; check its owner and its mode",
    ),
    VaultBusyError: _Failure(
        503, "VAULT_BUSY", "Another process kept the local vault locked for too long; try again"
    ),
    VaultStorageError: _Failure(
        500, "VAULT_STORAGE", "The disk of the local vault is full or fails; look at the disk"
    ),
    VaultUsageError: _Failure(
        500, "VAULT_CLOSED", "The local vault is closed in this process; open a new one"
    ),
}
_ANY_FAILURE: Final = _Failure(
    500, "VAULT_FAILED", "The local vault failed; look at the events of the backend"
)


def vault_failure(error: VaultError) -> Response:
    """The answer when the vault can't do what it has to; its path is told only to the owner."""
    failure = _FAILURES.get(type(error), _ANY_FAILURE)
    emit("warning", "connectors.local.vault_failed", error=type(error).__name__, problem=str(error))
    headers = {"retry-after": "1"} if failure.status == 503 else None  # noqa: PLR2004
    return Refusal(failure.status, failure.detail, code=failure.code, headers=headers).response


def internal_error(error: Exception) -> Response:
    """The answer when the backend itself has a fault; where it lies is told only to the owner."""
    frame = extract_tb(error.__traceback__)[-1]
    emit(
        "warning",
        "connectors.local.failed",
        error=type(error).__name__,
        at=f"{PurePath(frame.filename).name}:{frame.lineno}",
    )
    return Refusal(
        500, "The local backend has a fault; its events say where", code="INTERNAL"
    ).response
