"""Begins consents for the routes, and says as an answer why one can't be begun."""

from collections.abc import Sequence

from connectors.local._answers import Refusal
from connectors.local._connecting import Begun, ConnectingError, NotForUsersError, UnknownTypeError
from connectors.local._records import ConnectionSummary, Owner
from connectors.local._services import Services
from connectors.local._unusable import how_to_configure, refusing


async def begin(
    services: Services, owner: Owner, integration_type: str, scopes: Sequence[str] = ()
) -> Begun:
    """Begin a consent.

    Raises:
        Refusal: It can't be begun; the text says what to do.
    """
    try:
        with refusing(owner):
            return await services.consents.begin(owner, integration_type, scopes=scopes)
    except UnknownTypeError as error:
        raise Refusal(404, str(error), code="UNKNOWN_INTEGRATION") from None
    except NotForUsersError as error:
        raise Refusal(409, str(error), code="NOT_FOR_APP_USERS") from None
    except ConnectingError as error:
        raise Refusal(409, str(error), code="CALLBACK_MISSING") from None
    except ValueError as error:
        raise Refusal(
            422,
            f"{str(error).rstrip('.')}. What all connections of the type begin with can be set; "
            f"run: {how_to_configure(integration_type)}",
            code="CONNECTION_CONFIG",
        ) from None


async def type_of(services: Services, owner: Owner) -> str:
    """The type of the connector that an owner's account is for.

    That of a connection by that connector's id, the owner's own first; the type of that name; or
    the one whose OAuth client has declared it.

    Raises:
        Refusal: Nobody has said what it is.
    """
    known = [row for row in await services.vault.list(owner.app_id) if _is_of(row, owner)]
    if known:
        return min(known, key=lambda row: _distance(row, owner)).integration_type
    if owner.name in services.catalog:
        return owner.name
    for app in await services.vault.apps.list():
        if owner.name in app.connectors:
            return app.integration_type
    raise Refusal(
        404,
        f"Nobody has said of which type the connector {owner.name!r} is; "
        f"run: {how_to_configure('TYPE', '--connector', owner.name)}",
        code="UNKNOWN_CONNECTOR",
    )


def _is_of(row: ConnectionSummary, owner: Owner) -> bool:
    return row.owner.kind != "app" and row.owner.name == owner.name


def _distance(row: ConnectionSummary, owner: Owner) -> tuple[bool, bool, bool]:
    return row.owner != owner, row.owner.kind != owner.kind, row.state == "disconnected"
