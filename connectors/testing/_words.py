"""Why a connector gives no token, in one word each, with what the service answers then.

The answers are those of the protocol and of the local backend, word for word where a program could
look at it, so that the client takes them for what it takes them in production. Where the service
asks for patience it asks for more than the client has by default: a test is told at once.
"""

from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias, final

import attrs

from transports import Response
from transports.mock import Answer, faults, json_response

Status: TypeAlias = Literal["active", "expired"]
"""What `list_connectors` tells of a connector that is there."""

_LONG: Final = {"retry-after": "120"}


@final
@attrs.frozen(eq=False, repr=False)
class Unusable:
    """A word for a connector that gives no token: `NOT_CONNECTED` and its like."""

    _name: str
    _answers: Callable[[str], Answer]

    status: Status | None = "active"
    """What `list_connectors` tells of it; None is that it does not name it."""

    def answer(self, name: str) -> Answer:
        """What the service answers for a connector of this name."""
        return self._answers(name)

    def __repr__(self) -> str:
        return self._name


def _refuses(
    status: int, body: Mapping[str, object], headers: Mapping[str, str] | None = None
) -> Callable[[str], Response]:
    def refuse(name: str) -> Response:
        told = {
            field: text.replace("{name}", name) if isinstance(text, str) else text
            for field, text in body.items()
        }
        return json_response(told, status, headers)

    return refuse


NOT_CONNECTED: Final = Unusable(
    "NOT_CONNECTED",
    _refuses(404, {"detail": "Connector connection not found", "code": "NOT_FOUND"}),
    status=None,
)
"""Nobody has connected it: `NotConnectedError`."""

EXPIRED: Final = Unusable(
    "EXPIRED",
    _refuses(
        409,
        {
            "reason": "refresh_token_expired",
            "state": "refresh_failed",
            "detail": "The connection to {name} can't be used: its refresh token has expired; "
            "run: connectors connect {name}",
            "code": "RECONNECT_REQUIRED",
        },
    ),
    status="expired",
)
"""It has ended and has to be connected again: `ReconnectRequiredError`."""

METERED: Final = Unusable(
    "METERED",
    _refuses(
        403,
        {
            "detail": "{name} is a metered connector and gives no token; send the request with "
            "POST /connectors/{name}/call"
        },
        {"X-Base44-Connector-Error": "metered_connector_requires_proxy"},
    ),
)
"""It answers `call_api` and gives no token away: `MeteredConnectorError`."""

OUT_OF_CREDITS: Final = Unusable(
    "OUT_OF_CREDITS",
    _refuses(
        402,
        {
            "message": "The integration credits of the workspace are used up",
            "extra_data": {"reason": "integration_credits_limit_reached"},
        },
    ),
)
"""The workspace has used up its credits: `OutOfCreditsError`."""

RATE_LIMITED: Final = Unusable(
    "RATE_LIMITED", _refuses(429, {"detail": "Too many requests"}, _LONG)
)
"""There were too many requests: `RateLimitedError`, whose `retry_after` is 120."""

POSTPONED: Final = Unusable(
    "POSTPONED",
    _refuses(
        503,
        {
            "detail": "The token of {name} can't be renewed now: the provider does not answer; "
            "try again in 120 s",
            "code": "REFRESH_POSTPONED",
        },
        _LONG,
    ),
)
"""Its token has to be renewed, and can't be now: `ServerError`, whose `retry_after` is 120."""

UNAUTHORIZED: Final = Unusable(
    "UNAUTHORIZED", _refuses(401, {"detail": "Unauthorized"}, {"www-authenticate": "Bearer"})
)
"""The service does not take the client's token: `UnauthorizedError`."""

FORBIDDEN: Final = Unusable(
    "FORBIDDEN",
    _refuses(403, {"detail": "This endpoint is only accessible to service tokens"}),
)
"""The client's token may not do this: `ForbiddenError`."""

SERVER_ERROR: Final = Unusable(
    "SERVER_ERROR", _refuses(500, {"detail": "Internal server error"}, _LONG)
)
"""The service has a fault: `ServerError`. It asks for patience, so nothing is sent again."""

UNREACHABLE: Final = Unusable("UNREACHABLE", lambda _: faults.refuse())
"""Nobody answers: `UnreachableError`. The client tries it three times, unless `retry` says less."""
