"""Routes that a workspace calls: see what there is, connect it, remove it."""

import json
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs

from connectors.catalog import ConfigField, Integration
from connectors.local._answers import Refusal, answer, not_connected, not_supported
from connectors.local._beginnings import begin
from connectors.local._oauth_records import UNFINISHED
from connectors.local._records import ConnectionSummary, Owner, StoredConnection
from connectors.local._routing import Access, Route, RoutedRequest
from connectors.local._services import Services
from connectors.local._statuses import status
from transports import Response

_MANAGER: Final = Access(
    frozenset({"workspace"}),
    "This endpoint is only accessible to API keys",
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
    listed = [_listed(entry, request) for entry in found if entry.owner.kind == "app"]
    # What was removed leaves a row in the vault, and is not to come back in a `connectors pull`.
    return answer({"integrations": [entry for entry in listed if entry["status"] != _REMOVED]})


def _listed(connection: ConnectionSummary, request: RoutedRequest) -> dict[str, object]:
    services = request.services
    shown: dict[str, object] = {
        "integration_type": connection.integration_type,
        "status": status(connection, services.catalog, services.clock()),
        "scopes": connection.scopes,
    }
    label = connection.account_label or ""
    return {**shown, "user_email": label} if "@" in label else shown


async def _authorize(request: RoutedRequest) -> Response:
    # What can't be done is an error by its status: `base44 connectors push` says 'synced' of every
    # good answer without an address to open, whatever its `error`.
    services, owner = request.services, Owner.app(request.app_id, request.name)
    wanted = _scopes(request.body)
    connection = await services.vault.get(owner)
    if connection is not None and await _has(request, connection, wanted):
        told = {"connection_id": connection.id, "already_authorized": True}
    else:
        begun = await begin(services, owner, request.name, wanted)
        told = {"connection_id": begun.connection_id, "redirect_url": begun.url.reveal()}
    return answer({**_AUTHORIZATION, **told})


_AUTHORIZATION: Final[Mapping[str, object]] = {
    "redirect_url": None,
    "connection_id": None,
    "already_authorized": False,
    "error": None,
    "error_message": None,
    "other_user_email": None,
}


async def _has(request: RoutedRequest, connection: StoredConnection, wanted: Sequence[str]) -> bool:
    """Is it connected with just these scopes? Those of a request replace the old ones, so more is
    not the same either. What counts is also what was asked for the last time: a provider may call
    it by other names, and to ask again would change nothing.
    """
    services = request.services
    if status(connection, services.catalog, services.clock()) != "active":
        return False
    known = services.catalog.get(connection.integration_type)
    always = frozenset(known.scopes.required if known else ())
    asked = always.union(await _asked(request, wanted))
    return asked in {always.union(connection.scopes), always.union(connection.asked)}


async def _asked(request: RoutedRequest, wanted: Sequence[str]) -> Sequence[str]:
    """What is asked for when these are wanted: who wants none gets those of the OAuth client."""
    app = None if wanted else await request.services.vault.apps.get(request.name)
    return app.scopes if app is not None else wanted


def _scopes(body: bytes | None) -> tuple[str, ...]:
    try:
        data = json.loads(body or b"")
    except (ValueError, RecursionError):
        raise Refusal(400, "The body is not JSON") from None
    scopes = data.get("scopes") if isinstance(data, dict) else None
    if not isinstance(scopes, list) or not all(map(_is_scope, scopes)):
        raise Refusal(
            422, 'The body must be {"scopes": [...]}, each of them printable text and not empty'
        )
    return tuple(dict.fromkeys(scopes))


def _is_scope(scope: object) -> bool:
    return isinstance(scope, str) and scope != "" and scope.isprintable()


async def _status(request: RoutedRequest) -> Response:
    parameters = _parameters(request.query)
    integration_type, wanted = parameters.get("integration_type"), parameters.get("connection_id")
    if not integration_type or not integration_type.isprintable():
        raise Refusal(422, "The query must have integration_type=, and it must be printable text")
    owner = Owner.app(request.app_id, integration_type)
    return answer({"status": await _progress(request.services, owner, wanted)})


async def _progress(services: Services, owner: Owner, asked: str | None) -> str:
    """How far connecting has come: a consent that goes on decides, and one that has come to nothing
    for whoever asks about it; otherwise what is there.
    """
    now = services.clock()
    connection = await services.vault.get(owner)
    known = None if connection is None else connection.id
    name = known if asked is None else asked
    consent = None if not name else await services.vault.consent_rows.latest(name, now)
    outcome = consent.outcome if consent is not None and consent.owner == owner else None
    if outcome in UNFINISHED:
        return "PENDING"
    failed = outcome not in {None, "active"} and asked is not None
    good = connection is not None and status(connection, services.catalog, now) == "active"
    return "ACTIVE" if good and name == known and not failed else "FAILED"


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
    if not await request.services.keeper.disconnect(Owner.app(request.app_id, request.name)):
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
