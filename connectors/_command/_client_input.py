"""The registration at a provider, as a person or a script gives it; its secret is never shown.

A script gives it on standard input: the client id and the client secret on a line each, or a JSON
object. Everything is wrapped as it is read, and what is wrong with it is said without it.
"""

from typing import Final

import attrs
import click

from connectors._command._secret_input import demand_short, is_interactive, read_piped, typed_secret
from connectors._json import Problem, parsed
from connectors.local import ConnectionConfig
from connectors.local._fields import config_error
from connectors.local._oauth import OAuthClient
from transports import Secret

_JSON_KEYS: Final = ("client_id", "client_secret", "connection_config")
_EXPECTED: Final = (
    "Standard input is the client id and the client secret, on a line each, or a JSON object with "
    f"{', '.join(_JSON_KEYS[:2])} and perhaps {_JSON_KEYS[2]}."
)


@attrs.frozen
class _Given:
    """What was given of a client."""

    client_id: str | None
    client_secret: Secret | None
    config: ConnectionConfig = attrs.field(factory=lambda: ConnectionConfig({}))


def read_client(
    display_name: str, earlier: OAuthClient | None
) -> tuple[OAuthClient, ConnectionConfig]:
    """A client, typed or from a pipe, and the values that came with it, not checked yet.

    Args:
        display_name: The provider's name for a person.
        earlier: The client that there is: it stays where nothing else is given.

    Raises:
        click.UsageError: It is none.
    """
    given = _typed(display_name, earlier) if is_interactive() else _piped()
    client_id = given.client_id or (earlier.client_id if earlier else "")
    secret = given.client_secret
    if secret is None and earlier is not None and client_id == earlier.client_id:
        secret = earlier.client_secret
    if not client_id:
        raise click.UsageError(
            f"There is no client id. On a terminal it is asked for.\n{_EXPECTED}"
        )
    try:
        return OAuthClient(client_id, secret), given.config
    except ValueError as error:
        raise click.UsageError(f"{error}.") from error


def _typed(display_name: str, earlier: OAuthClient | None) -> _Given:
    default = "" if earlier is None else earlier.client_id
    typed = click.prompt(
        f"Client ID at {display_name}", err=True, default=default, show_default=bool(default)
    )
    # Neither has a space at an end, but what is copied from a page may bring one.
    client_id = typed.strip()
    keeps = earlier is not None and client_id == earlier.client_id
    empty = "the one there is" if keeps else "a client without one"
    secret = typed_secret(f"Client secret (it is not shown; empty: {empty}): ")
    return _Given(client_id, Secret(secret.reveal().strip()) or None)


def _piped() -> _Given:
    text = read_piped()
    demand_short(text)
    given = _read(text)
    if isinstance(given, Problem):
        raise click.UsageError(f"{given.text}\n{_EXPECTED}")
    return given


def _read(text: Secret) -> _Given | Problem:
    if text.reveal().lstrip().startswith("{"):
        return _read_json(text)
    lines = [line.strip() for line in text.reveal().splitlines() if line.strip()]
    if len(lines) > 2:  # noqa: PLR2004 - an id and a secret.
        return Problem("There are more than two lines.")
    client_id, secret = (*lines, None, None)[:2]
    return _Given(client_id, None if secret is None else Secret(secret))


def _read_json(text: Secret) -> _Given | Problem:
    data = parsed(text.reveal().encode("utf-8", "replace"))
    if isinstance(data, Problem):
        return Problem(f"The JSON can't be read: {data.text}.")
    if not isinstance(data, dict) or not data.keys() <= set(_JSON_KEYS):
        return Problem("The JSON has other keys than it should.")
    client_id, secret, config = (data.get(key) for key in _JSON_KEYS)
    if not isinstance(client_id, str | None) or not isinstance(secret, str | None):
        return Problem("client_id and client_secret must be strings.")
    error = config_error(config)
    if error is not None:
        return Problem(f"{error}.")
    assert isinstance(config, dict | None)
    values = ConnectionConfig({name: str(value) for name, value in (config or {}).items()})
    return _Given(client_id, None if secret is None else Secret(secret), values)
