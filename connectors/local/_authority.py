"""Who may ask the local backend: the app's backend, its workspace, and the app's users.

There is one service token and one API key, both random. A user token is not kept anywhere: it says
whose it is and is signed with a key that never leaves the backend, so one user's token can't be
made into another's. Nothing here is compared but as a `Secret`, which takes the same time whatever
the difference: that a guess was nearly right must not be told.

No frame here has a credential as a plain value: what is wrong with one is returned, then raised.
"""

import base64
import hmac
import secrets
from typing import Final, Literal, TypeAlias, final

import attrs

from connectors._digests import base64url
from connectors.local._answers import Refusal, unauthorized
from connectors.local._fields import check_text
from connectors.local._vault import Vault
from transports import Headers, Secret

Role: TypeAlias = Literal["service", "workspace", "user"]
"""What a credential proves: to be the app's backend, its workspace, or one of its users."""

_SERVICE_TOKEN: Final = "b44s_"  # noqa: S105 - how it begins.
_API_KEY: Final = "b44k_"
# The version stands in the token and in what is signed.
_USER_TOKEN: Final = "b44u_v1"  # noqa: S105 - how it begins.
_SIGNED: Final = b"base44-connectors user token v1\0"


@attrs.frozen
class Principal:
    """Who asks, as far as the credentials of a request prove it."""

    roles: frozenset[Role]
    """What they prove; never empty."""

    user: str | None = None
    """The app user who asks, or on whose behalf the app's backend does."""


@final
@attrs.frozen(eq=False)
class Authority:
    """Issues the credentials of a backend and recognises them."""

    service_token: Secret
    """The token of the app's backend."""

    api_key: Secret
    """The key of the workspace."""

    _signing_key: Secret

    @classmethod
    def ephemeral(cls) -> "Authority":
        """An authority with credentials that nobody else ever has, for one process."""
        return cls(_random(_SERVICE_TOKEN), _random(_API_KEY), _random())

    def issue_user_token(self, name: str) -> Secret:
        """The token of an app user; the same one each time.

        Raises:
            TypeError: The name is not a `str`.
            ValueError: It is empty or has characters that can't be printed.
        """
        check_text("user", name)
        return self._signed(name)

    def identify(self, headers: Headers) -> Principal:
        """Who sends a request.

        All credentials that it carries have to be right: one that is wrong and ignored is a mistake
        that nobody finds.

        Raises:
            Refusal: It carries none, a wrong one, or one of them twice.
        """
        roles: set[Role] = set()
        user = self._user(_bearer(headers, "on-behalf-of"))
        api_key = _only(headers, "api_key")
        if api_key is not None:
            _demand(api_key == self.api_key)
            roles.add("workspace")
        token = _bearer(headers, "authorization")
        if token == self.service_token:
            roles.add("service")
        elif token is not None:
            user = self._user(token)
            roles.add("user")
        _demand(bool(roles))
        return Principal(frozenset(roles), user)

    def _user(self, token: Secret | None) -> str | None:
        name = None if token is None else _claimed(token)
        # Only the one way in which it is written is right, so the whole token is compared.
        _demand(token is None or (name is not None and self._signed(name) == token))
        return name

    def _signed(self, name: str) -> Secret:
        signature = hmac.digest(
            self._signing_key.reveal().encode("utf-8"), _SIGNED + name.encode("utf-8"), "sha256"
        )
        return Secret(f"{_USER_TOKEN}.{base64url(name.encode('utf-8'))}.{base64url(signature)}")


async def vault_authority(vault: Vault) -> Authority:
    """The authority of a vault's backend: made at its first start, then always the same.

    Raises:
        VaultError: The vault can't be used.
    """
    return Authority(
        await vault.setting("api.service_token", lambda: _random(_SERVICE_TOKEN)),
        await vault.setting("api.key", lambda: _random(_API_KEY)),
        await vault.setting("api.user_token_key", _random),
    )


def _random(beginning: str = "") -> Secret:
    return Secret(beginning + secrets.token_urlsafe(32))


def _only(headers: Headers, name: str) -> Secret | None:
    values = tuple(map(Secret, headers.get_all(name)))
    if len(values) > 1:
        raise Refusal(400, f"The request has the header '{name}' more than once")
    return values[0] if values else None


def _bearer(headers: Headers, name: str) -> Secret | None:
    value = _only(headers, name)
    token = None if value is None else _after_scheme(value)
    _demand(value is None or token is not None)
    return token


def _after_scheme(value: Secret) -> Secret | None:
    scheme, _, token = value.reveal().partition(" ")
    return Secret(token) if scheme == "Bearer" else None


def _claimed(token: Secret) -> str | None:
    """Whose token it says it is; it may be a lie."""
    name = token.reveal().partition(".")[2].partition(".")[0]
    try:
        return base64.urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode("utf-8")
    except ValueError:
        return None


def _demand(proven: bool) -> None:  # noqa: FBT001 - it reads as a sentence.
    if not proven:
        raise unauthorized()
