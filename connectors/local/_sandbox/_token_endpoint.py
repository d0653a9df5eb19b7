"""The endpoints that a client calls: for a token, for the next one, and to give one back.

Each reads the call by its template, demands the credentials that the template has, asks the rules,
and writes the answer where the type's clients look for it.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, final

import attrs

from connectors.catalog import Call, Integration, TokenCall
from connectors.local._sandbox._answers import problem_answer, success_answer, token_answer
from connectors.local._sandbox._asked import Asked, client_id
from connectors.local._sandbox._grants import Grants
from connectors.local._sandbox._held import Issued
from connectors.local._sandbox._problems import (
    OAuthProblem,
    invalid_client,
    invalid_request,
    shown,
)
from connectors.local._sandbox._stats import Tally
from connectors.local._sandbox._templates import Values, call_values, config_refusal, read_call
from transports import Response, Secret

_CREDENTIALS: Final = frozenset({"client_id", "client_secret"})
# A value that the rules ask for if they need it: not every request of a kind has it.
_OPTIONAL: Final = frozenset({"redirect_uri", "code_verifier"})

_STANDARD: Final = frozenset({"invalid_grant", "invalid_client", "unauthorized_client"})


@final
class TokenEndpoint:
    """Answers calls for tokens and about them.

    Args:
        grants: The rules.
        client_secret: The secret of every client.
        tally: Where refusals are counted.
    """

    def __init__(self, grants: Grants, client_secret: Secret, tally: Tally) -> None:
        self._grants = grants
        self._client_secret = client_secret
        self._tally = tally

    def token(self, asked: Asked, step: int) -> Response:
        """From the code to the token."""
        exchange = partial(self._grants.exchange, asked.integration, step)
        return self._tokens(asked, asked.integration.token[step], exchange)

    def refresh(self, asked: Asked, call: TokenCall) -> Response:
        """From a token to the next."""
        return self._tokens(asked, call, partial(self._grants.renew, asked.integration))

    def revoke(self, asked: Asked, call: Call) -> Response:
        """The end of a token."""
        values = self._values(asked, call)
        if isinstance(values, OAuthProblem):
            return self._refused(asked, call, values)
        known = _CREDENTIALS.isdisjoint(call_values(call))
        problem = self._grants.revoke(asked.integration.integration_type, values, known=known)
        return success_answer(call) if problem is None else self._refused(asked, call, problem)

    def _tokens(
        self, asked: Asked, step: TokenCall, give: Callable[[Values], Issued | OAuthProblem]
    ) -> Response:
        values = self._values(asked, step.call)
        issued = values if isinstance(values, OAuthProblem) else give(values)
        if isinstance(issued, OAuthProblem):
            return self._refused(asked, step.call, issued)
        return token_answer(asked.integration, step, issued)

    def _values(self, asked: Asked, call: Call) -> Values | OAuthProblem:
        values = read_call(call, asked.request, asked.path, asked.query)
        if isinstance(values, OAuthProblem):
            return values
        return (
            self._client_problem(asked.integration, call, values)
            or _missing(asked.integration, call, values)
            or config_refusal(asked.integration, values)
            or values
        )

    def _client_problem(
        self, integration: Integration, call: Call, values: Values
    ) -> OAuthProblem | None:
        known = {
            "client_id": Secret(client_id(integration.integration_type)),
            "client_secret": self._client_secret,
        }
        for name in sorted(_CREDENTIALS & call_values(call)):
            if values.get(name) != known[name]:
                how = "HTTP Basic" if call.basic_auth else "the parameters of the call"
                return invalid_client(f"The {name} is missing or wrong; it belongs into {how}")
        return None

    def _refused(self, asked: Asked, call: Call, problem: OAuthProblem) -> Response:
        self._tally.count(asked.integration.integration_type, "refusals")
        return problem_answer(call, _in_its_words(asked.integration, call, problem))


def _missing(integration: Integration, call: Call, values: Values) -> OAuthProblem | None:
    optional = {field.name for field in integration.connection_config if not field.required}
    missing = sorted(call_values(call) - values.keys() - optional - _OPTIONAL)
    return invalid_request(f"There is no value for {shown(missing[0])}") if missing else None


def _in_its_words(integration: Integration, call: Call, problem: OAuthProblem) -> OAuthProblem:
    """A problem with the code that the type has for it.

    Who does not answer as RFC 6749 says, but in a 200, does not use its words either.
    """
    refresh = integration.refresh
    renewal = refresh.call is not None and call is refresh.call.call
    known = {
        "invalid_client": refresh.client_errors,
        "invalid_grant": refresh.terminal_errors if renewal else (),
    }
    own = [code for code in known.get(problem.code, ()) if code not in _STANDARD]
    return attrs.evolve(problem, code=own[0]) if own and call.success else problem
