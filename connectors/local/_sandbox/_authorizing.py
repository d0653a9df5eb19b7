"""The authorization endpoint: shows what is asked for, hears the answer, sends the user back.

A page holds a ticket that is good once and for ten minutes. It is random, and no other page can
read it, so nobody can answer in the user's place.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Final, final

import attrs

from connectors.local._sandbox._accounts import Account, find_account
from connectors.local._sandbox._asked import Asked
from connectors.local._sandbox._consent import (
    ConsentRequest,
    captured_values,
    code_address,
    problem_address,
    read_consent_request,
)
from connectors.local._sandbox._grants import Grants
from connectors.local._sandbox._page import consent_page, problem_page, sent_back
from connectors.local._sandbox._problems import OAuthProblem, invalid_request
from connectors.local._sandbox._shelf import Shelf
from connectors.local._sandbox._stats import Tally
from connectors.local._sandbox._templates import pairs
from transports import Response, Secret

_TICKET_LIFETIME: Final = 600.0
_DENIED: Final = OAuthProblem("access_denied", "The user did not allow it")


@attrs.frozen
class _Pending:
    request: ConsentRequest
    ends_at: float


@final
class Authorizing:
    """Asks users.

    Args:
        grants: Where a consent becomes a code.
        allowed: The redirect URIs that may lead to another machine.
        clock: The time.
        limit: How many pages may wait for an answer.
        tally: Where denials are counted.
    """

    def __init__(
        self,
        grants: Grants,
        allowed: Collection[str],
        clock: Callable[[], float],
        limit: int,
        tally: Tally,
    ) -> None:
        self._grants = grants
        self._allowed = allowed
        self._clock = clock
        self._tally = tally
        self._pending = Shelf[_Pending]("ticket", limit)

    def page(self, asked: Asked) -> Response:
        """The page for an authorization URL."""
        request = read_consent_request(asked, self._allowed)
        if isinstance(request, OAuthProblem):
            return problem_page(request)
        if request.problem is not None:
            return sent_back(problem_address(request, request.problem))
        ticket = self._pending.put(_Pending(request, self._clock() + _TICKET_LIFETIME))
        return consent_page(request, ticket)

    def decide(self, asked: Asked) -> Response:
        """The answer that a person has given on the page."""
        address = self._decided(asked)
        return problem_page(address) if isinstance(address, OAuthProblem) else sent_back(address)

    def answer(self, asked: Asked, account: Account | None) -> Secret | OAuthProblem:
        """What `page` and `decide` come to: the address that the user is sent to.

        Args:
            asked: The authorization URL.
            account: Who allows it; None does not.
        """
        request = read_consent_request(asked, self._allowed)
        if isinstance(request, OAuthProblem):
            return request
        if request.problem is not None:
            return problem_address(request, request.problem)
        return self._address(request, account)

    def _decided(self, asked: Asked) -> Secret | OAuthProblem:
        sent = pairs((asked.request.body or b"").decode("latin-1"))
        if isinstance(sent, OAuthProblem):
            return sent
        pending = self._pending.take(sent.get("ticket"))
        if pending is None or pending.ends_at <= self._clock():
            return invalid_request(
                "This page was answered before, or is too old: start again in the application"
            )
        account = _chosen(sent)
        if isinstance(account, OAuthProblem):
            return account
        return self._address(pending.request, account)

    def _address(self, request: ConsentRequest, account: Account | None) -> Secret:
        if account is None:
            self._tally.count(request.integration.integration_type, "denials")
            return problem_address(request, _DENIED)
        captured = captured_values(request, account)
        code = self._grants.begin(
            request.integration,
            account,
            scopes=request.scopes,
            captured=captured,
            redirect_uri=request.redirect_uri,
            challenge=request.challenge,
        )
        return code_address(request, code, captured)


def _chosen(sent: Mapping[str, Secret]) -> Account | OAuthProblem | None:
    decision = sent.get("decision")
    if decision == Secret("deny"):
        return None
    account = find_account(sent["account"].reveal()) if "account" in sent else None
    if decision != Secret("allow") or account is None:
        return invalid_request("The answer is neither 'deny' nor 'allow' with one of the accounts")
    return account
