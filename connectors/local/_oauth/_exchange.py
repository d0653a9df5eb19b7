"""From the code of a callback to the tokens: one call, or as many as the type needs."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, final

import attrs

from connectors.catalog import Integration, TokenCall
from connectors.local._oauth._answers import Refused, Tokens, read_answer
from connectors.local._oauth._client import OAuthClient
from connectors.local._oauth._errors import TokenError
from connectors.local._oauth._templates import request_of
from connectors.local._oauth._values import flow_values
from connectors.local._oauth._verdicts import verdict
from transports import Request, Response, Secret

# What was sent and must not come out again in the provider's words.
_SECRETS: Final = ("client_secret", "code", "code_verifier", "access_token")


@final
class CodeExchange:
    """Exchanges one code. Send each `request()` once, and give what comes back to `receive()`.

    Args:
        integration: The type to be connected.
        client: The registration that asked for the consent.
        code: What the callback brought.
        verifier: The one that the consent was asked for with.
        redirect_uri: The same that the consent was asked for with, letter by letter.
        config: The values of the type's `connection_config`, with those that the callback told.
        allow_local_hosts: As for `connectors.catalog.check_config`.

    Raises:
        ValueError: The config or a value is refused. No value is shown.
        TypeError: The config is no mapping of strings.
    """

    def __init__(
        self,
        integration: Integration,
        client: OAuthClient,
        *,
        code: Secret | None,
        verifier: Secret,
        redirect_uri: str,
        config: Mapping[str, str],
        allow_local_hosts: bool = False,
    ) -> None:
        values = flow_values(
            integration,
            client,
            config,
            allow_local_hosts=allow_local_hosts,
            code=code,
            code_verifier=verifier,
            redirect_uri=Secret(redirect_uri),
        )
        del config
        if isinstance(values, Exception):
            raise values
        self._integration = integration
        self._values = values
        self._allow_local_hosts = allow_local_hosts
        self._steps = list(integration.token)
        self._tokens: Tokens | None = None

    def __repr__(self) -> str:
        return f"<CodeExchange of {self._integration.integration_type}, {len(self._steps)} to go>"

    def request(self) -> Request:
        """The next request.

        Raises:
            ValueError: The config lacks a value that the address needs.
            RuntimeError: The code is used up.
        """
        request = request_of(self._step().call, self._values)
        if isinstance(request, ValueError):
            raise request
        return request

    def receive(self, response: Response, *, sent_at: float) -> Tokens | None:
        """Take the answer to a request: the tokens, or None if there is one more to send.

        Args:
            response: The answer.
            sent_at: When the request was sent, in Unix time.

        Raises:
            TokenError: There are no tokens in it. The code is used up.
            RuntimeError: It was used up before.
        """
        step = self._step()
        outcome = read_answer(
            self._integration,
            step,
            response,
            sent_at=sent_at,
            renewal=False,
            allow_local_hosts=self._allow_local_hosts,
            secrets=[self._values[name] for name in _SECRETS if name in self._values],
        )
        if isinstance(outcome, Refused):
            error = self._error(step, outcome)
            self._steps.clear()
            raise error
        del self._steps[0]
        self._tokens = outcome if self._tokens is None else _added(self._tokens, outcome)
        self._values = {**self._values, "access_token": outcome.access_token}
        return None if self._steps else self._tokens

    def _step(self) -> TokenCall:
        if not self._steps:
            name = self._integration.integration_type
            raise RuntimeError(f"{name}: the code is used up, whatever came of it: begin again")
        return self._steps[0]

    def _error(self, step: TokenCall, refused: Refused) -> TokenError:
        name = self._integration.integration_type
        kind, code = verdict(self._integration, step.call, refused)
        return TokenError(
            refused.problem or f"{name}: the provider gave no tokens (status {refused.status})",
            status=refused.status,
            code=code,
            description=refused.description,
            client_rejected=kind == "client_rejected",
        )


def _added(before: Tokens, after: Tokens) -> Tokens:
    """The tokens of a later step, with what only an earlier one has told."""
    return attrs.evolve(
        after,
        refresh_token=after.refresh_token or before.refresh_token,
        scopes=before.scopes if after.scopes is None else after.scopes,
        captured=MappingProxyType({**before.captured, **after.captured}),
    )
