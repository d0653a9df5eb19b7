"""The rules of the sandbox: what a code and a token are good for, for how long, and how often.

They are as strict as the strictest provider. A code is good once and for a minute. A refresh token
that rotates is good once. Whoever shows either of them a second time ends the grant and all tokens
that came of it (RFC 9700, sections 2.1.1 and 4.14.2), as one of the two who had it was a thief.

There is no I/O here, and no clock but the one that was given.
"""

from collections.abc import Callable, Mapping
from typing import Final, final

import attrs

from connectors.catalog import Integration, TokenAnswer
from connectors.local._sandbox._accounts import Account
from connectors.local._sandbox._held import AccessToken, Code, Grant, Issued, RefreshToken
from connectors.local._sandbox._pkce import is_verified
from connectors.local._sandbox._problems import OAuthProblem, invalid_grant, invalid_request
from connectors.local._sandbox._shelf import Shelf
from connectors.local._sandbox._stats import Tally
from connectors.local._sandbox._templates import Values
from transports import Secret

_CODE_LIFETIME: Final = 60.0
_TOKENS: Final = frozenset({"refresh_token", "access_token", "token"})
_ROTATING: Final = frozenset({"always", "sometimes"})


@final
class Grants:
    """Gives out codes and tokens, and knows which are good.

    Args:
        lifetime: Seconds that an access token lives, if it can be renewed at all.
        clock: The time.
        limit: How many codes, and tokens of each kind, are remembered.
        tally: Where is counted what happens.
    """

    def __init__(
        self, lifetime: float, clock: Callable[[], float], limit: int, tally: Tally
    ) -> None:
        self._lifetime = lifetime
        self._clock = clock
        self._tally = tally
        self._codes = Shelf[Code]("code", limit)
        self._access_tokens = Shelf[AccessToken]("access", limit)
        self._refresh_tokens = Shelf[RefreshToken]("refresh", limit)
        self._installations: dict[tuple[str, str, str], Grant] = {}

    def begin(
        self,
        integration: Integration,
        account: Account,
        *,
        scopes: tuple[str, ...],
        captured: Mapping[str, str],
        redirect_uri: str,
        challenge: Secret | None,
    ) -> Secret:
        """Somebody has consented: the code for the client."""
        name, now = integration.integration_type, self._clock()
        grant = Grant(name, account, scopes, captured, now)
        for capture in integration.captures:
            # Who installs an app again has the newest grant.
            self._installations[name, capture.name, captured[capture.name]] = grant
        self._tally.count(name, "consents")
        return self._codes.put(Code(grant, redirect_uri, challenge, now + _CODE_LIFETIME))

    def exchange(
        self, integration: Integration, step: int, values: Values
    ) -> Issued | OAuthProblem:
        """The tokens of a step from the code to the token that is kept."""
        grant = self._granted(integration.integration_type, values)
        if isinstance(grant, OAuthProblem):
            return grant
        answer = integration.token[step].answer
        return self._issued(integration, grant, answer, final=step == len(integration.token) - 1)

    def renew(self, integration: Integration, values: Values) -> Issued | OAuthProblem:
        """The tokens of a renewal: with a refresh token, the access token, or an installation."""
        assert integration.refresh.call is not None
        name, answer = integration.integration_type, integration.refresh.call.answer
        if "refresh_token" in values:
            renewed = self._refreshed(integration, answer, values["refresh_token"])
        else:
            grant = self._renewable(integration, values)
            renewed = (
                grant
                if isinstance(grant, OAuthProblem)
                else self._issued(integration, grant, answer, final=True, keeps=True)
            )
        if isinstance(renewed, Issued):
            self._tally.count(name, "refreshes")
        return renewed

    def revoke(self, integration_type: str, values: Values, *, known: bool) -> OAuthProblem | None:
        """End the grant that a token belongs to.

        Args:
            integration_type: The type that is asked.
            values: The token, under any of its names.
            known: Refuse a token that is unknown or no good, because it is the credential too. Else
                it counts as revoked (RFC 7009, section 2.2).
        """
        names = _TOKENS & values.keys()
        grants = [self._grant_of(integration_type, values[name]) for name in names]
        if known and not any(grant and not grant.revoked for grant in grants):
            return OAuthProblem("invalid_token", "The token is unknown or no good any more", 401)
        for grant in filter(None, grants):
            grant.revoked = True
        self._tally.count(integration_type, "revocations")
        return None

    def bearer(self, integration: Integration, token: Secret | None) -> AccessToken | None:
        """What an access token is good for at the API; None: for nothing."""
        found = self._access_token(integration.integration_type, token)
        margin = integration.refresh.hard_margin or 0
        return found if found and self._good(found.grant, found.ends_at, margin) else None

    def _granted(self, name: str, values: Values) -> Grant | OAuthProblem:
        if "code" in values:
            return self._redeemed(name, values)
        if "access_token" in values:
            found = self._access_token(name, values["access_token"])
            if found is None or found.final or not self._good(found.grant, found.ends_at):
                return invalid_grant("The access token is not one that the step before this gave")
            return found.grant
        return self._installed(name, values)

    def _redeemed(self, name: str, values: Values) -> Grant | OAuthProblem:
        code = self._codes.find(values["code"])
        if code is None or code.grant.integration_type != name:
            return invalid_grant("The code is unknown")
        if code.used:
            code.grant.revoked = True
            self._tally.count(name, "reuses")
            return invalid_grant("The code was used before: all tokens that it gave are revoked")
        if code.ends_at <= self._clock():
            return invalid_grant(f"The code is older than {_CODE_LIFETIME:.0f} s")
        if values.get("redirect_uri") != Secret(code.redirect_uri):
            return invalid_grant("The redirect URI is not that of the authorization request")
        if not is_verified(code.challenge, values.get("code_verifier")):
            return invalid_grant("The code verifier is not that of the code challenge")
        code.used = True
        return code.grant

    def _installed(self, name: str, values: Values) -> Grant | OAuthProblem:
        found = (
            self._installations.get((name, value_name, value.reveal()))
            for value_name, value in values.items()
        )
        grant = next(filter(None, found), None)
        if grant is None or grant.revoked:
            return invalid_grant("Nobody has consented to that, or they have revoked it")
        return grant

    def _renewable(self, integration: Integration, values: Values) -> Grant | OAuthProblem:
        name = integration.integration_type
        if "access_token" not in values:
            return self._installed(name, values)
        found = self._access_token(name, values["access_token"])
        if found is None or not found.final or not self._good(found.grant, found.ends_at):
            return invalid_grant("The access token is unknown, expired or revoked")
        if self._clock() - found.issued_at < (integration.refresh.min_age or 0):
            return invalid_request("The access token is too young to be renewed")
        return found.grant

    def _refreshed(
        self, integration: Integration, answer: TokenAnswer, token: Secret
    ) -> Issued | OAuthProblem:
        name = integration.integration_type
        found = self._refresh_tokens.find(token)
        if found is None or found.grant.integration_type != name:
            return invalid_grant("The refresh token is unknown")
        if found.replaced and not found.grant.revoked:
            found.grant.revoked = True
            self._tally.count(name, "reuses")
            return invalid_grant("The refresh token was used before: the whole grant is revoked")
        if not self._good(found.grant, found.ends_at):
            return invalid_grant("The refresh token is expired or revoked")
        if integration.refresh.rotates in _ROTATING:
            found.replaced = True
            return self._issued(integration, found.grant, answer, final=True)
        found.ends_at = self._refresh_end(integration, found.grant)
        issued = self._issued(integration, found.grant, answer, final=True, keeps=True)
        return attrs.evolve(issued, refresh_ends_at=found.ends_at)

    def _issued(
        self,
        integration: Integration,
        grant: Grant,
        answer: TokenAnswer,
        *,
        final: bool,
        keeps: bool = False,
    ) -> Issued:
        """Tokens of a grant; with `keeps` the client keeps the refresh token that it has."""
        now = self._clock()
        # What can't be renewed has no end, or its user would have to consent every minute.
        ends_at = now + self._lifetime if integration.refresh.call else None
        access_token = self._access_tokens.put(AccessToken(grant, now, ends_at, final))
        refresh_token, refresh_ends_at = None, None
        if final and not keeps and answer.refresh_token is not None:
            refresh_ends_at = self._refresh_end(integration, grant)
            refresh_token = self._refresh_tokens.put(RefreshToken(grant, refresh_ends_at))
        self._tally.count(grant.integration_type, "tokens")
        return Issued(grant, access_token, refresh_token, now, ends_at, refresh_ends_at)

    def _refresh_end(self, integration: Integration, grant: Grant) -> float | None:
        refresh = integration.refresh
        if refresh.refresh_token_lifetime is None:
            return None
        began = {"absolute": grant.began}.get(refresh.refresh_token_lifetime_kind, self._clock())
        return began + refresh.refresh_token_lifetime

    def _access_token(self, name: str, token: Secret | None) -> AccessToken | None:
        found = self._access_tokens.find(token)
        return found if found and found.grant.integration_type == name else None

    def _grant_of(self, name: str, token: Secret) -> Grant | None:
        found = self._access_tokens.find(token) or self._refresh_tokens.find(token)
        return found.grant if found and found.grant.integration_type == name else None

    def _good(self, grant: Grant, ends_at: float | None, margin: float = 0) -> bool:
        return not grant.revoked and (ends_at is None or self._clock() < ends_at - margin)
