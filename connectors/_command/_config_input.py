"""The values that a connection needs besides its token: from options, and from a person.

A value that is a secret by the catalogue is treated as a token is. All of them are hidden in a
`ConnectionConfig` from the moment they are split off.
"""

from collections.abc import Mapping, Sequence

import click

from connectors._command._secret_input import is_interactive, secret_from_file, typed_secret
from connectors.catalog import ConfigField, Integration, check_config
from connectors.local import ConnectionConfig


def read_config(integration: Integration, options: Sequence[str]) -> ConnectionConfig | None:
    """The configuration of a connection, checked; None for a type that has none.

    Args:
        integration: The type.
        options: What `--config` was given.

    Raises:
        click.UsageError: A value is refused or missing.
        Failure: A file can't be read.
    """
    config = ConnectionConfig(dict(_given(integration, option) for option in options))
    if is_interactive():
        config = ConnectionConfig({**config, **_asked(integration, config)})
    try:
        checked = ConnectionConfig(check_config(integration, config, complete=True))
    except ValueError as error:
        raise click.UsageError(f"{error}\nIt is given with --config NAME=VALUE.") from error
    return checked or None


def _given(integration: Integration, option: str) -> tuple[str, str]:
    name, equals, value = option.partition("=")
    if not name or not equals:
        raise click.UsageError("--config takes NAME=VALUE, or NAME=@FILE for what a file holds.")
    if value.startswith("@"):
        return name, secret_from_file(value[1:]).reveal()
    if any(field.name == name and field.secret for field in integration.connection_config):
        raise click.UsageError(
            f"{name} is a secret, and a command line can be read by others.\nGive it with "
            f"--config {name}=@FILE, or leave it out to be asked for it."
        )
    return name, value


def _asked(integration: Integration, given: Mapping[str, str]) -> Mapping[str, str]:
    missing = [
        field
        for field in integration.connection_config
        if field.required and field.default is None and field.name not in given
    ]
    return ConnectionConfig({field.name: _typed(field) for field in missing})


def _typed(field: ConfigField) -> str:
    question = f"{field.display_name}, such as {field.placeholder}"
    if field.secret:
        return typed_secret(f"{question} (it is not shown): ").reveal()
    answer = click.prompt(question, err=True)
    assert isinstance(answer, str)
    return answer
