"""What is known of an integration type, as frozen values.

All that a provider does differently from plain RFC 6749 is a value here, so an OAuth engine fills
in templates and never asks for a type's name. Every request of the flow is a `Call`, whose URL,
headers and parameters are templates: `{name}` stands for

* a value of the connection's config, or one that was captured (`{host}`, `{instance_id}`),
* or a value of the flow: `{client_id}`, `{client_secret}`, `{redirect_uri}`, `{state}`, `{scope}`,
  `{code}`, `{code_verifier}`, `{code_challenge}`, `{access_token}`, `{refresh_token}`, and
  `{token}`, which is the refresh token if there is one and otherwise the access token.

A parameter or header that has a placeholder without a value is left out: a public client has no
`{client_secret}`. Paths into an answer are dotted, and a number is an index: `data.0.access_token`.
All durations are in seconds.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from attrs import frozen

_EMPTY: Final[Mapping[str, str]] = MappingProxyType({})


@frozen(kw_only=True)
class ConfigField:
    """One value that a connection needs beside its token, such as the host of a GitLab."""

    name: str
    display_name: str
    description: str
    placeholder: str
    """An example of a good value."""
    validation_pattern: str
    """A regular expression that a value matches from its first character to its last."""
    validation_error: str | None = None
    """The expected form, in words."""
    required: bool = False
    secret: bool = False
    """The value must not be shown or logged."""
    automated: bool = False
    """The provider tells it during the consent: nobody is asked, but it may be given by hand."""
    default: str | None = None


@frozen(kw_only=True)
class Capture:
    """A value that the provider tells, to be kept with the connection under `name`."""

    name: str
    source: Literal["callback", "token_answer"]
    """The query of the redirect back, or the answer to each token call."""
    path: str


@frozen(kw_only=True)
class Scopes:
    """What may be asked for. A type whose `authorization` has no `{scope}` takes none."""

    required: tuple[str, ...] = ()
    """Always asked for, whatever else is."""
    examples: tuple[str, ...] = ()
    separator: str = " "
    """Stands between the encoded scopes as it is: a `+` must not become `%2B`."""


@frozen(kw_only=True)
class Success:
    """Tells a success from a failure that came with status 200.

    A success has `equals` at `path`; None means that nothing may be there.
    """

    path: str
    equals: bool | None


@frozen(kw_only=True)
class Call:
    """A request, as templates."""

    url: str
    method: Literal["GET", "POST", "DELETE"] = "POST"
    headers: Mapping[str, str] = _EMPTY
    basic_auth: bool = False
    """Send client id and secret as HTTP Basic; else they are among the parameters, if at all."""
    parameters: Mapping[str, str | int] = _EMPTY
    """The body, or the query of a GET. Without any there is no body."""
    body: Literal["form", "json"] = "form"
    success: Success | None = None


@frozen(kw_only=True)
class TokenAnswer:
    """Where the facts stand in the answer to a token call; None means that it never has them."""

    access_token: str
    refresh_token: str | None = None
    expires_in: str | None = None
    """Seconds from now."""
    expires_at: str | None = None
    """A moment, as RFC 3339 writes it."""
    refresh_expires_in: str | None = None
    """Seconds from now, of the refresh token."""
    scope: str | None = None
    wrapped_in: str | None = None
    """When the answer has something at this path, all other paths start there."""


@frozen(kw_only=True)
class TokenCall:
    """A call that is answered with a token."""

    call: Call
    answer: TokenAnswer


@frozen(kw_only=True)
class Authorization:
    """The page where a user gives consent: `parameters` are templates, sent as its query."""

    url: str
    parameters: Mapping[str, str]
    """With `{code_challenge}` among them, PKCE is used; otherwise it must be left out."""
    pkce: Literal["S256_required", "S256_supported", "none"]
    """What the provider documents. It may be supported and yet not be used: see the notes."""


@frozen(kw_only=True)
class Refresh:
    """How an access token is renewed, and what its renewal does to the tokens before it."""

    call: TokenCall | None = None
    """None: it cannot be renewed, only consented to again. Without `{refresh_token}` among its
    parameters it needs none."""
    refresh_token_issued: Literal["always", "conditional", "never"]
    condition: str | None = None
    """What `conditional` depends on."""
    rotates: Literal["always", "sometimes", "never", "unknown", "n/a"]
    """Whether an answer brings a new refresh token that replaces the one sent. An answer without
    one means that the old one stays good."""
    on_reuse: str | None = None
    """What happens when a replaced refresh token is sent again."""
    access_token_lifetime: int | None = None
    """Usual lifetime. It is assumed for an answer that states none only if `expires_in_returned`
    is false; otherwise such an answer means a token without end."""
    expires_in_returned: bool
    refresh_token_lifetime: int | None = None
    refresh_token_lifetime_kind: Literal["sliding", "absolute", "idle", "none", "unknown", "n/a"]
    """Counted from the last renewal, from the consent, or from the last use."""
    terminal_errors: tuple[str, ...] = ("invalid_grant",)
    """Error codes after which only a new consent helps."""
    client_errors: tuple[str, ...] = ("invalid_client", "unauthorized_client")
    """Error codes that blame the client's registration or its secret, not the connection."""
    passing_errors: tuple[str, ...] = ("server_error", "temporarily_unavailable")
    """Error codes of an outage, whatever the status: they say nothing of the tokens."""
    min_age: int | None = None
    """A token that is younger is not renewed."""
    only_while_good: bool = False
    """A token is renewed only as long as it is good: after its end only a new consent helps. So it
    must not be left alone for as long as it lives."""
    renew_after: int | None = None
    """Renew a token of this age, though it would live longer."""
    hard_margin: int | None = None
    """A token with less life left than this is refused already."""
    lock_on: tuple[str, ...] = ()
    """Captured values that name the chain of refresh tokens: connections of one client with equal
    values share it, so only one of them may renew at a time. Empty: each has its own chain."""
    notes: str | None = None

    @property
    def is_extended_by_use(self) -> bool:
        """Does the life of a refresh token begin anew when it is used?"""
        return self.refresh_token_lifetime_kind in {"sliding", "idle"}

    @property
    def has_fixed_end(self) -> bool:
        """Does a refresh token end at one time after the consent, however it is used?"""
        return self.refresh_token_lifetime_kind == "absolute"  # noqa: S105 - a kind, no password.


@frozen(kw_only=True)
class Probe:
    """A harmless call that shows whether a token works; sent with `Api.headers` and the token."""

    call: Call
    needs_scope: str | None = None
    """In words, for a person: 'read_user or api'."""


@frozen(kw_only=True)
class Api:
    """The provider's API that the tokens are for."""

    base_url: str
    hosts: tuple[str, ...] = ()
    """More hosts that take the token, as templates."""
    probe: Probe
    headers: Mapping[str, str] = _EMPTY
    """What each call needs beside the token."""
    optional_headers: tuple[str, ...] = ()
    """What only this API knows: a caller may set it, in the place of one of `headers` too, and sees
    it in an answer."""


@frozen(kw_only=True, repr=False)
class Integration:
    """All that the catalogue knows of one integration type."""

    integration_type: str
    display_name: str
    description: str
    confidence: Literal["high", "medium", "low"]
    """How far these facts are to be trusted. A user is told of anything but `high`."""
    documentation_url: str
    redirect_uri_notes: str
    """Which redirect addresses the provider accepts; for a person."""
    loopback_redirect: bool | None = None
    """Does it send people back to `http://localhost`? None: that is not known, or depends on how
    the app is registered."""
    notes: str | None = None
    connection_config: tuple[ConfigField, ...] = ()
    captures: tuple[Capture, ...] = ()
    scopes: Scopes
    authorization: Authorization
    token: tuple[TokenCall, ...]
    """From the code to the token that is kept, in order: each has the `{access_token}` of the one
    before it. Nearly always one call."""
    refresh: Refresh
    revocation: Call | None = None
    """None: the provider offers none, or none is known."""
    revocation_ends_all: bool = False
    """To revoke one token ends all that its account has granted to the client, be it by a consent
    that was given since. So nothing is revoked any more once its owner has consented again."""
    introspection_url: str | None = None
    api: Api

    def __repr__(self) -> str:
        return f"<Integration {self.integration_type!r}>"
