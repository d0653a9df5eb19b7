"""Reads what a browser brings back from the consent: words of anybody who can open a URL.

A parameter that is read must come once (RFC 6749, section 3.1). `state` is for the caller to
compare, before the rest is believed. The query holds a code, so what is wrong is returned by what
reads it, and raised when the query is gone.
"""

from collections.abc import Container, Mapping
from typing import Final, TypeAlias
from urllib.parse import parse_qsl, urlsplit

import attrs

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
    paths = {c.name: c.path for c in integration.captures if c.source == "callback"}
    twice = [name for name in (*_OF_OAUTH, *paths.values()) if len(found.get(name, [])) > 1]
    if twice:
        return _forged(f"it has {twice[0]!r} more than once")
    given = {name: values[0] for name, values in found.items()}
    values = config_values(integration, config, allow_local_hosts=allow_local)
    if isinstance(values, Exception):
        return ConsentError(str(values))
    if "iss" in given and not _is_issuer(integration, given["iss"], values):
        return _forged("it comes from another provider than the one that was asked")
    if "error" in given:
        return _denied(given)
    needed = _needs_code(integration)
    code = given.get("code") if needed else None
    if needed and (code is None or not is_sendable(code)):
        return _forged("it has no code")
    captured = {name: given[path].reveal() for name, path in paths.items() if given.get(path)}
    problem = config_problem(integration, captured, allow_local_hosts=allow_local)
    missing = problem or _missing(integration, paths, {*values, *captured})
    return _forged(missing) if missing else Callback(code, captured)


def _parsed(query: str) -> _Query:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError:  # There are too many; none is as good.
        pairs = []
    found: dict[str, list[Secret]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(Secret(value))
    return found


def _forged(problem: str) -> ConsentError:
    return ConsentError(f"The address that the browser came back to is not good: {problem}")


def _denied(given: _Given) -> ConsentError:
    return ConsentError(
        "The provider did not give its consent",
        code=shown_code(given["error"].reveal()),
        description=shown_description(
            given["error_description"].reveal() if "error_description" in given else None,
            [given.get("code"), given.get("state")],
        ),
    )


def _needs_code(integration: Integration) -> bool:
    return any("{code}" in step.call.parameters.values() for step in integration.token)


def _is_issuer(integration: Integration, issuer: Secret, values: Values) -> bool:
    """Whether it is the server of the authorization page that answers (RFC 9207)."""
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


def _missing(
    integration: Integration, paths: Mapping[str, str], known: Container[str]
) -> str | None:
    required = {field.name for field in integration.connection_config if field.required}
    lacking = [paths[name] for name in paths if name in required and name not in known]
    return f"it has no {lacking[0]!r}" if lacking else None
