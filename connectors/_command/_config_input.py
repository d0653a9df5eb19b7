"""The values that a connection needs besides its token: from options, and from a person.

A value that is a secret by the catalogue is treated as a token is. All of them are hidden in a
`ConnectionConfig` from the moment they are split off.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import click

from connectors._command._secret_input import is_interactive, secret_from_file, typed_secret
from connectors.catalog import ConfigField, Integration, check_config, config_problem
from connectors.local import ConnectionConfig

_HOW: Final = "It is given with --config NAME=VALUE."


def read_config(integration: Integration, options: Sequence[str]) -> ConnectionConfig | None:
    """The configuration of a connection whose token is given, checked; None for a type without.

    Args:
        integration: The type.
        options: What `--config` was given.

    Raises:
        click.UsageError: A value is refused or missing.
        Failure: A file can't be read.
    """
    given = given_config(integration, options)
    if is_interactive():
        given = _with_answers(given, _missing(integration, given))
    try:
        checked = ConnectionConfig(check_config(integration, given, complete=True))
    except ValueError as error:
        raise click.UsageError(f"{error}\n{_HOW}") from error
    return checked or None


def read_consent_config(
    integration: Integration, options: Sequence[str], kept: Mapping[str, str]
) -> ConnectionConfig:
    """The values that have to be known before a consent, from options and from a person.

    Args:
        integration: The type.
        options: What `--config` was given.
        kept: Values that nobody has to give again.

    Raises:
        click.UsageError: A value is refused.
        Failure: A file can't be read.
    """
    given = given_config(integration, options)
    known = {*given, *kept}
    asked = (field for field in _missing(integration, known) if not field.automated)
    return _checked(integration, _with_answers(given, asked))


def read_client_config(
    integration: Integration, options: Sequence[str], kept: Mapping[str, str]
) -> ConnectionConfig:
    """The values that all connections of a client begin with; each may be left for later.

    Args:
        integration: The type.
        options: What `--config` was given.
        kept: Values that stay when nobody gives others.

    Raises:
        click.UsageError: A value is refused.
        Failure: A file can't be read.
    """
    given = ConnectionConfig({**kept, **given_config(integration, options)})
    if is_interactive():
        fields = [field for field in integration.connection_config if not field.automated]
        asked = (field for field in fields if field.name not in given)
        given = _with_answers(given, asked, may_be_empty=True)
    return _checked(integration, given)


def given_config(integration: Integration, options: Sequence[str]) -> ConnectionConfig:
    """The values of options, not checked yet.

    Raises:
        click.UsageError: An option is no value, or is a secret.
        Failure: A file can't be read.
    """
    return ConnectionConfig(dict(_given(integration, option) for option in options))


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


def _missing(integration: Integration, known: Iterable[str]) -> list[ConfigField]:
    fields = integration.connection_config
    needed = [field for field in fields if field.required and field.default is None]
    return [field for field in needed if field.name not in set(known)]


def _with_answers(
    given: ConnectionConfig, fields: Iterable[ConfigField], *, may_be_empty: bool = False
) -> ConnectionConfig:
    answers = ((field.name, _typed(field, may_be_empty=may_be_empty)) for field in fields)
    return ConnectionConfig({**given, **{name: value for name, value in answers if value}})


def _typed(field: ConfigField, *, may_be_empty: bool) -> str:
    question = f"{field.display_name}, such as {field.placeholder}"
    if may_be_empty:
        question = f"{question} (empty: {field.default or 'left for `connectors connect`'})"
    if field.secret:
        return typed_secret(f"{question} (it is not shown): ").reveal()
    default = "" if may_be_empty else None
    answer = click.prompt(question, err=True, default=default, show_default=False)
    assert isinstance(answer, str)
    return answer


def _checked(integration: Integration, given: ConnectionConfig) -> ConnectionConfig:
    problem = config_problem(integration, given)
    if problem is not None:
        raise click.UsageError(f"{problem}\n{_HOW}")
    return given
