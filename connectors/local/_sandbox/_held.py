"""What a client holds, as the sandbox remembers it: what it is for, and never the string itself."""

from collections.abc import Mapping

import attrs

from connectors.local._sandbox._accounts import Account
from transports import Secret


@attrs.define(eq=False)
class Grant:
    """One consent; it ends with everything that came of it."""

    integration_type: str
    """What was connected."""

    account: Account
    """Who has consented."""

    scopes: tuple[str, ...]
    """To what."""

    captured: Mapping[str, str] = attrs.field(repr=False)
    """What the client is told beside the tokens, by the names of the captures."""

    began: float
    """When."""

    revoked: bool = False
    """Is it over?"""


@attrs.define(eq=False)
class Code:
    """A code, and what has to come with it."""

    grant: Grant
    redirect_uri: str
    challenge: Secret | None
    ends_at: float
    used: bool = False


@attrs.frozen(eq=False)
class AccessToken:
    """An access token."""

    grant: Grant
    issued_at: float
    ends_at: float | None
    final: bool
    """Is it the one that the client keeps, and not one on the way to it?"""


@attrs.define(eq=False)
class RefreshToken:
    """A refresh token."""

    grant: Grant
    ends_at: float | None
    replaced: bool = False


@attrs.frozen(eq=False)
class Issued:
    """Tokens on their way to a client."""

    grant: Grant
    access_token: Secret
    refresh_token: Secret | None
    """None: there is none, or the client keeps the one that it has."""

    now: float
    ends_at: float | None
    refresh_ends_at: float | None
