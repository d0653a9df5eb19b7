"""Routes that a workspace calls: see what there is, connect it, remove it.

This backend keeps tokens that somebody puts into its vault, and asks nobody for consent. What a
route can't do without that, it refuses with an error status: the official command takes every
other answer for success.
"""

import json
import shlex
from collections.abc import Mapping
from typing import Final, NoReturn
from urllib.parse import parse_qs

from connectors.catalog import ConfigField, Integration, integrations
from connectors.local._answers import Refusal, answer, not_connected, not_supported
from connectors.local._records import ConnectionSummary, Owner
from connectors.local._routing import Access, Route, RoutedRequest
from connectors.local._services import Services
from connectors.local._statuses import Status, status
from transports import Response

_MANAGER: Final = Access(
    frozenset({"workspace", "user"}),
    "This endpoint is only accessible to API keys and user tokens",
)
_MOST_FIELDS: Final = 16
_REMOVED: Final = "disconnected"


async def _available(request: RoutedRequest) -> Response:
    offered = [_offered(entry) for entry in request.services.catalog.values()]
    return answer({"integrations": offered})


def _offered(integration: Integration) -> dict[str, object]:
    asked = [field for field in integration.connection_config if not field.automated]
    return {
        "integration_type": integration.integration_type,
        "display_name": integration.display_name,
        "description": integration.description,
        "connection_config_fields": [_config_field(field) for field in asked],
    }


def _config_field(field: ConfigField) -> dict[str, object]:
    shown: dict[str, object] = {
        "name": field.name,
        "display_name": field.display_name,
        "description": field.description,
        "placeholder": field.placeholder,
        "required": field.required,
        "validation_pattern": field.validation_pattern,
    }
    explained = field.validation_error is not None
    return {**shown, "validation_error": field.validation_error} if explained else shown


async def _list(request: RoutedRequest) -> Response:
    found = await request.services.vault.list(request.app_id)
    listed = [_listed(entry, request.services) for entry in found if entry.owner.kind == "app"]
    # What was removed leaves a row in the vault, and is not to come back in a `connectors pull`.
    return answer({"integrations": [entry for entry in listed if entry["status"] != _REMOVED]})


def _listed(connection: ConnectionSummary, services: Services) -> dict[str, object]:
    shown: dict[str, object] = {
        "integration_type": connection.integration_type,
        "status": _status_of(connection, services),
        "scopes": connection.scopes,
    }
    label = connection.account_label or ""
    return {**shown, "user_email": label} if "@" in label else shown


def _status_of(connection: ConnectionSummary, services: Services) -> Status:
    return status(connection, services.catalog, services.clock())


def _is_active(connection: ConnectionSummary, services: Services) -> bool:
    return _status_of(connection, services) == "active"


async def _authorize(request: RoutedRequest) -> Response:
    wanted = _scopes(request.body)
    connection = await request.services.vault.get(Owner.app(request.app_id, request.name))
    if connection is None or not _is_active(connection, request.services):
        _refuse(request.name, "not_connected", "is not connected")
    # The scopes of a request replace the old ones, so more than asked for is not the same either.
    if wanted | _required(request.name) != set(connection.scopes) | _required(request.name):
        _refuse(request.name, "different_scopes", "is connected with other scopes")
    return answer({**_AUTHORIZATION, "connection_id": connection.id, "already_authorized": True})


_AUTHORIZATION: Final[Mapping[str, object]] = {
    "redirect_url": None,
    "connection_id": None,
    "already_authorized": False,
    "error": None,
    "error_message": None,
    "other_user_email": None,
}


def _refuse(integration_type: str, error: str, problem: str) -> NoReturn:
    # `base44 connectors push` says 'synced' of every good answer without an address to open,
    # whatever its `error`. So it is also an error by its status.
    message = (
        f"{integration_type!r} {problem}, and this backend can't ask anybody for consent; "
        f"run: connectors connect {shlex.quote(integration_type)}"
    )
    told = {**_AUTHORIZATION, "error": error, "error_message": message}
    raise Refusal(409, message, code="CONSENT_REQUIRED", more=told)


def _required(integration_type: str) -> frozenset[str]:
    known = integrations().get(integration_type)
    return frozenset(known.scopes.required) if known else frozenset()


def _scopes(body: bytes | None) -> frozenset[str]:
    try:
        data = json.loads(body or b"")
    except (ValueError, RecursionError):
        raise Refusal(400, "The body is not JSON") from None
    scopes = data.get("scopes") if isinstance(data, dict) else None
    if not isinstance(scopes, list) or not all(map(_is_scope, scopes)):
        raise Refusal(
            422, 'The body must be {"scopes": [...]}, each of them printable text and not empty'
        )
    return frozenset(scopes)


def _is_scope(scope: object) -> bool:
    return isinstance(scope, str) and scope != "" and scope.isprintable()


async def _status(request: RoutedRequest) -> Response:
    parameters = _parameters(request.query)
    integration_type, wanted = parameters.get("integration_type"), parameters.get("connection_id")
    if not integration_type or not integration_type.isprintable():
        raise Refusal(422, "The query must have integration_type=, and it must be printable text")
    connection = await request.services.vault.get(Owner.app(request.app_id, integration_type))
    # No consent is under way here, so nothing is PENDING: to go on asking would change nothing.
    active = connection is not None and _is_active(connection, request.services)
    same = connection is not None and wanted in {None, connection.id}
    return answer({"status": "ACTIVE" if active and same else "FAILED"})


def _parameters(query: str) -> Mapping[str, str]:
    try:
        found = parse_qs(
            query, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise Refusal(400, "The query can't be read: it is no UTF-8, or too long") from None
    if any(len(values) > 1 for values in found.values()):
        raise Refusal(400, "The query has a parameter more than once")
    return {name: values[0] for name, values in found.items()}


async def _remove(request: RoutedRequest) -> Response:
    if not await request.services.vault.disconnect(Owner.app(request.app_id, request.name)):
        raise not_connected()
    return answer({"status": "removed", "integration_type": request.name})


async def _stripe_status(_request: RoutedRequest) -> Response:
    # `base44 connectors pull` asks for it every time, and stops when there is no answer.
    return answer({"stripe_mode": None})


async def _install_stripe(_request: RoutedRequest) -> Response:
    raise not_supported("The local backend has no payments: Stripe is installed in the dashboard")


async def _remove_stripe(_request: RoutedRequest) -> Response:
    raise Refusal(404, "Stripe is not installed", code="NOT_FOUND")


MANAGEMENT_ROUTES: Final = (
    Route("GET", "external-auth/available-integrations", _MANAGER, _available),
    Route("GET", "external-auth/list", _MANAGER, _list),
    Route("GET", "external-auth/status", _MANAGER, _status),
    Route("PUT", "external-auth/integrations/*", _MANAGER, _authorize),
    Route("DELETE", "external-auth/integrations/*/remove", _MANAGER, _remove),
    Route("GET", "payments/stripe/status", _MANAGER, _stripe_status),
    Route("POST", "payments/stripe/install", _MANAGER, _install_stripe),
    Route("DELETE", "payments/stripe", _MANAGER, _remove_stripe),
)
"""The routes of the `connectors` command and of `Client.management`."""
