"""Reads the answer to a token call, whatever it is.

A provider that rotates tells a token once, so an answer is refused only when there is no access
token in it that can be sent, or when it says itself that it is a failure. Anything else in it that
can't be read counts as not said. What is wrong is returned: tokens lie about where this works.
"""

import re
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

import attrs

from connectors._errors import Json
from connectors._redaction import Redactor
from connectors.catalog import Call, Integration, Success, TokenCall, config_problem
from connectors.local._oauth._errors import shown_code, shown_description
from connectors.local._oauth._json_paths import at, lenient_json
from connectors.local._oauth._lifetimes import end_of_access, end_of_refresh
from connectors.local._oauth._values import is_sendable, only_names
from transports import Response, Secret

_OK: Final = 2  # The family of successes.

# Where providers put an error's code: RFC 6749 says `error`; others do as the rest of their API.
_CODES: Final = ("error", "error.code", "error.type", "code", "errors.0.code")
_DESCRIPTIONS: Final = ("error_description", "error.message", "message", "errors.0.detail")


@attrs.frozen(kw_only=True)
class Tokens:
    """What a provider has granted. Times are Unix time on this machine's clock."""

    access_token: Secret
    """To be sent to the provider's API."""

    refresh_token: Secret | None
    """None: the answer has none that can be sent, so one from before stays good."""

    obtained_at: float
    """When the request was sent, so that no time on the way counts as lifetime."""

    expires_at: float | None
    """None: the access token has no end that is known."""

    refresh_expires_at: float | None
    """The end of the refresh token. None: nothing changes it, so one from before stays true."""

    scopes: tuple[str, ...] | None
    """What was granted. None: nothing was said, so it is what was asked for."""

    captured: Mapping[str, str] = attrs.field(repr=only_names)
    """Values that the provider tells with the tokens, to be added to the connection's config."""

    raw: Secret
    """The answer as it came."""


@attrs.frozen(kw_only=True)
class Refused:
    """An answer without tokens that can be used."""

    status: int
    """Its status."""

    codes: tuple[str, ...] = ()
    """What may be its error code, the most likely first."""

    description: str | None = None
    """What the provider says of it, made fit to be shown."""

    is_error: bool = True
    """Does it say itself that it is an error? A page of a proxy does not."""

    problem: str | None = None
    """Why it is refused though it has tokens."""


def read_answer(
    integration: Integration,
    step: TokenCall,
    response: Response,
    *,
    sent_at: float,
    renewal: bool,
    allow_local_hosts: bool,
    secrets: Collection[Secret],
) -> Tokens | Refused:
    """Read the answer to a token call.

    Args:
        integration: The type that the tokens are of.
        step: The call that is answered.
        response: The answer.
        sent_at: When the call was sent, in Unix time.
        renewal: The tokens take the place of others. Then a captured value that is refused is left
            out, as the tokens must not be lost for it; otherwise the answer is refused.
        allow_local_hosts: As for `connectors.catalog.check_config`.
        secrets: What was sent. An error code or a scope that repeats it is none.
    """
    text = _text(response)
    data = lenient_json(text.reveal())
    facts = at(data, step.answer.wrapped_in) or data
    token = _token(at(facts, step.answer.access_token))
    if response.status // 100 != _OK or token is None or not _succeeded(step.call.success, data):
        return refusal(step.call, response, secrets)
    captured = dict(_told(integration, facts))
    problems = _problems(integration, captured, allow_local=allow_local_hosts)
    if problems and not renewal:
        return Refused(status=response.status, problem=next(iter(problems.values())))
    refresh_token = _token(at(facts, step.answer.refresh_token))
    about = integration.refresh
    return Tokens(
        access_token=token,
        refresh_token=refresh_token,
        obtained_at=sent_at,
        expires_at=end_of_access(
            about, step.answer, facts, headers=response.headers, sent_at=sent_at
        ),
        refresh_expires_at=end_of_refresh(
            about, step.answer, facts, sent_at=sent_at, renewal=renewal
        )
        if renewal or refresh_token
        else None,
        scopes=_scopes(
            at(facts, step.answer.scope),
            integration.scopes.separator,
            {*secrets, token, refresh_token},
        ),
        captured=MappingProxyType({n: captured[n] for n in captured if n not in problems}),
        raw=text,
    )


def refusal(call: Call, response: Response, secrets: Iterable[Secret] = ()) -> Refused:
    """What an answer without tokens says."""
    redactor = Redactor(secrets)
    data = lenient_json(_text(response).reveal())
    codes = tuple(filter(None, (shown_code(at(data, path), redactor) for path in _CODES)))
    texts = (shown_description(at(data, path), redactor) for path in _DESCRIPTIONS)
    return Refused(
        status=response.status,
        codes=codes,
        description=next(filter(None, texts), None),
        is_error=bool(codes) or _says_failure(call.success, data),
    )


def _text(response: Response) -> Secret:
    return Secret(response.body.decode("utf-8-sig", "replace"))


def _token(value: Json) -> Secret | None:
    token = Secret(value) if isinstance(value, str) else None
    return token if token is not None and is_sendable(token) else None


def _succeeded(success: Success | None, data: Json) -> bool:
    return success is None or _said(success, data) is success.equals


def _says_failure(success: Success | None, data: Json) -> bool:
    said = None if success is None else _said(success, data)
    return success is not None and said is not None and said is not success.equals


def _said(success: Success, data: Json) -> Json:
    value = at(data, success.path)
    return None if value == "" else value


def _told(integration: Integration, facts: Json) -> Iterator[tuple[str, str]]:
    """The values to be captured, by their names."""
    for capture in integration.captures:
        value = at(facts, capture.path) if capture.source == "token_answer" else None
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            yield capture.name, str(value)


def _problems(
    integration: Integration, captured: Mapping[str, str], *, allow_local: bool
) -> Mapping[str, str]:
    found = {
        name: config_problem(integration, {name: value}, allow_local_hosts=allow_local)
        for name, value in captured.items()
    }
    return {name: problem for name, problem in found.items() if problem is not None}


def _scopes(
    value: Json, separator: str, secrets: Container[Secret | None]
) -> tuple[str, ...] | None:
    if isinstance(value, str):
        # Some are asked with one separator and tell with another.
        value = [*re.split(f"{re.escape(separator)}|[ ,]", value)]
    if not isinstance(value, list):
        return None
    # Scopes are shown to everybody, so a secret that a provider puts among them is none.
    named = (scope for scope in value if isinstance(scope, str) and scope)
    scopes = [scope for scope in named if Secret(scope) not in secrets]
    return tuple(dict.fromkeys(scopes)) if all(map(str.isprintable, scopes)) else None
