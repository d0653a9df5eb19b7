"""The API of the sandbox: tells whoever has a good token whose it is, and what was asked.

Any method and any path below it answer, so an app's own calls work as they are. Of what was sent
nothing is told again that could be a token.
"""

from typing import Final, final
from urllib.parse import unquote_plus

import attrs

from connectors.catalog import Integration, placeholders
from connectors.local._sandbox._answers import json_answer, marked
from connectors.local._sandbox._asked import Asked
from connectors.local._sandbox._grants import Grants
from connectors.local._sandbox._problems import without_tokens
from connectors.local._sandbox._stats import Tally
from transports import Headers, Response, Secret

_CHALLENGE: Final = 'Bearer realm="sandbox"'


@final
class ResourceServer:
    """Answers calls with an access token.

    Args:
        grants: Which tokens are good.
        tally: Where calls are counted.
    """

    def __init__(self, grants: Grants, tally: Tally) -> None:
        self._grants = grants
        self._tally = tally

    def call(self, asked: Asked) -> Response:
        """Answer a call of the API."""
        integration, headers = asked.integration, asked.request.headers
        token = _bearer(headers)
        known = self._grants.bearer(integration, token)
        if known is None:
            self._tally.count(integration.integration_type, "unauthorized")
            return _unauthorized(token)
        missing = _missing_header(integration, headers)
        if missing is not None:
            return json_answer({"error": f"This API needs the header '{missing}'"}, 400)
        self._tally.count(integration.integration_type, "calls")
        told = {
            "sandbox": True,
            "integration_type": integration.integration_type,
            "account": attrs.asdict(known.grant.account),
            "scopes": list(known.grant.scopes),
            "method": asked.request.method,
            "path": without_tokens(f"/{'/'.join(asked.path)}"),
            "query": without_tokens(unquote_plus(asked.query)),
        }
        return json_answer(marked(told, integration.api.probe.call.success))


def _bearer(headers: Headers) -> Secret | None:
    values = headers.get_all("authorization")
    scheme, _, token = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    return Secret(token) if scheme.lower() == "bearer" else None


def _unauthorized(token: Secret | None) -> Response:
    # RFC 6750, section 3.1: who has shown no token is told of no error.
    if token is None:
        return json_answer({"error": "unauthorized"}, 401, {"www-authenticate": _CHALLENGE})
    challenge = f'{_CHALLENGE}, error="invalid_token"'
    return json_answer({"error": "invalid_token"}, 401, {"www-authenticate": challenge})


def _missing_header(integration: Integration, headers: Headers) -> str | None:
    """A header that the API demands and that is not there; what optional config fills may be."""
    optional = {field.name for field in integration.connection_config if not field.required}
    demanded = (
        name
        for name, template in integration.api.headers.items()
        if optional.isdisjoint(placeholders(template))
    )
    return next((name for name in demanded if name not in headers), None)
