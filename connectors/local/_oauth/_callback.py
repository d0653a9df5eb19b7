"""Reads what a browser brings back from the consent: words of anybody who can open a URL.

A parameter that is read must come once (RFC 6749, section 3.1). `state` is for the caller to
compare, before the rest is believed. The query holds a code, so what is wrong is returned by what
reads it, and raised when the query is gone.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias
from urllib.parse import parse_qsl, urlsplit

import attrs

from connectors._redaction import Redactor
from connectors.catalog import Integration, config_problem
from connectors.local._oauth._errors import ConsentError, shown_code, shown_description
from connectors.local._oauth._templates import filled_url
from connectors.local._oauth._values import Values, config_values, is_sendable, only_names
from transports import Secret

_Query: TypeAlias = Mapping[str, list[Secret]]
_Given: TypeAlias = Mapping[str, Secret]

_MOST_PARAMETERS: Final = 64
_PORTS: Final = {"http": 80, "https": 443}
_OF_OAUTH: Final = ("state", "code", "error", "error_description", "iss")


@attrs.frozen
class Callback:
    """What a good callback brings."""

    code: Secret | None
    """To be exchanged. None for a type whose token call needs none."""

    captured: Mapping[str, str] = attrs.field(repr=only_names)
    """Values that the provider tells with it, to be added to the connection's config."""


def needs_code(integration: Integration) -> bool:
    """Whether a consent brings something that nobody else can bring: a code.

    Without one all that tells the account apart is a value that others may know.
    """
    return any("{code}" in step.call.parameters.values() for step in integration.token)


def callback_state(query: str) -> Secret | None:
    """The state that a callback brings, or None if it does not come exactly once."""
    states = _parsed(query).get("state", [])
    return states[0] if len(states) == 1 and states[0] else None


def read_callback(
    integration: Integration,
    query: str,
    *,
    config: Mapping[str, str],
    allow_local_hosts: bool = False,
) -> Callback:
    """Read a callback whose state has been found good.

    Args:
        integration: The type that the consent was for.
        query: The query of the address that the browser came to, without its `?`.
        config: The config that the consent was begun with.
        allow_local_hosts: As for `connectors.catalog.check_config`.

    Raises:
        ConsentError: The consent was denied, or the callback is not what the provider sends.
    """
    outcome = _read(integration, query, config, allow_local=allow_local_hosts)
    del query, config
    if isinstance(outcome, ConsentError):
        raise outcome
    return outcome


def _read(
    integration: Integration, query: str, config: Mapping[str, str], *, allow_local: bool
) -> Callback | ConsentError:
    found = _parsed(query)
    known = config_values(integration, config, allow_local_hosts=allow_local)
    if isinstance(known, Exception):
        return ConsentError(str(known))
    forged = next(_forgeries(integration, found, known), None)
    if forged is not None:
        return _bad(integration, forged)
    given = {name: values[0] for name, values in found.items()}
    if "error" in given:
        return _denied(integration, given)
    return _granted(integration, given, known, allow_local=allow_local)


def _forgeries(integration: Integration, found: _Query, known: Values) -> Iterator[str]:
    for name in (*_OF_OAUTH, *_captures(integration).values()):
        if len(found.get(name, [])) > 1:
            yield f"has {name!r} more than once"
    for issuer in found.get("iss", []):
        if not _is_issuer(integration, issuer, known):
            yield "comes from another provider than the one that was asked"


def _granted(
    integration: Integration, given: _Given, known: Values, *, allow_local: bool
) -> Callback | ConsentError:
    needed = needs_code(integration)
    code = given.get("code") if needed else None
    if needed and (code is None or not is_sendable(code)):
        return _bad(integration, "has no code")
    paths = _captures(integration)
    captured = {name: given[path].reveal() for name, path in paths.items() if given.get(path)}
    problem = config_problem(integration, captured, allow_local_hosts=allow_local)
    if problem is not None:
        return _bad(integration, f"has a value that is refused: {problem}")
    required = {field.name for field in integration.connection_config if field.required}
    lacking = required & paths.keys() - known.keys() - captured.keys()
    if lacking:
        return _bad(integration, f"has no {paths[min(lacking)]!r}")
    return Callback(code, MappingProxyType(captured))


def _captures(integration: Integration) -> Mapping[str, str]:
    """The names of the values that a callback tells, and of its parameters that have them."""
    return {c.name: c.path for c in integration.captures if c.source == "callback"}


def _parsed(query: str) -> _Query:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError:  # There are too many; none is as good.
        pairs = []
    found: dict[str, list[Secret]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(Secret(value))
    return found


def _bad(integration: Integration, problem: str) -> ConsentError:
    return ConsentError(
        f"{integration.integration_type}: the address that the browser came back to {problem}"
    )


def _denied(integration: Integration, given: _Given) -> ConsentError:
    redactor = Redactor([given[name] for name in ("state", "code") if name in given])
    told = given.get("error_description", Secret(""))
    return ConsentError(
        f"{integration.integration_type}: the consent was not given",
        code=shown_code(given["error"].reveal(), redactor),
        description=shown_description(told.reveal(), redactor),
    )


def _is_issuer(integration: Integration, issuer: Secret, values: Values) -> bool:
    """Whether it is the server of the authorization page that answers.

    RFC 9207 compares whole issuers. The catalogue knows none, so the origin of that page stands
    for its provider's.
    """
    url = filled_url(integration.authorization.url, values)
    asked = None if isinstance(url, ValueError) else _origin(url)
    return asked is not None and asked == _origin(issuer)


def _origin(url: Secret) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(url.reveal())
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    if port is None or parts.hostname is None or parts.username is not None:
        return None
    return parts.scheme, parts.hostname, port
