"""`connectors connect`: puts a token that somebody has into the vault."""

from pathlib import Path
from typing import NoReturn

import anyio
import click

from connectors._command._config_input import read_config
from connectors._command._options import Target, did_you_mean, examples, target_options
from connectors._command._output import say, tell
from connectors._command._secret_input import read_token
from connectors.catalog import Integration, integrations
from connectors.local import Grant, Vault


def _refuse_token(_context: click.Context, _parameter: click.Parameter, given: object) -> None:
    if given is not None:
        _refuse()


def _refuse() -> NoReturn:
    # Without what was given: it is a token.
    raise click.UsageError(
        "A token is not taken from the command line, where other processes and the shell's "
        "history see it.\nLeave it out to be asked for it, or pipe it in."
    )


@click.command(
    "connect",
    context_settings={"allow_extra_args": True},
    epilog=examples(
        "connectors connect slack                            asks for the token",
        "connectors connect slack < token.txt                takes it from a file",
        "pass show gitlab | connectors connect gitlab --config host=gitlab.example.com",
        "connectors connect googlecalendar --connector c-1 --user ada",
    ),
)
@target_options
@click.option(
    "--config",
    multiple=True,
    metavar="NAME=VALUE",
    help="A value that the type needs besides the token; NAME=@FILE takes it from a file.",
)
@click.option("--scopes", default="", metavar='"A B"', help="What the token is good for.")
@click.option("--account", metavar="LABEL", help="Whose account it is, for you to see.")
@click.option("--token", hidden=True, expose_value=False, callback=_refuse_token)
@click.pass_context
def command(
    context: click.Context,
    *,
    integration_type: str,
    connector: str | None,
    user: str | None,
    app_id: str,
    vault: Path,
    config: tuple[str, ...],
    scopes: str,
    account: str | None,
) -> None:
    """Put a token of TYPE into the vault.

    The token is asked for, unseen, on a terminal and read from standard input otherwise. It takes
    the place of an earlier one. `connectors list-available` shows all types.
    """
    if context.args:
        _refuse()
    integration = _known(integration_type)
    target = Target.checked(app_id, integration_type, connector, user)
    if integration.confidence != "high":
        tell(f"Note: not all that the catalogue says of {integration_type} could be confirmed.")
    grant = _grant(integration, config, scopes, account)
    generation = anyio.run(_put, vault, target, grant)
    say(f"Connected {target}{', in place of what was there' if generation > 1 else ''}.")


def _known(integration_type: str) -> Integration:
    found = integrations().get(integration_type)
    if found is None:
        raise click.UsageError(
            f"There is no type {integration_type!r}. {did_you_mean(integration_type)}\n"
            "`connectors list-available` shows all."
        )
    return found


def _grant(
    integration: Integration, config: tuple[str, ...], scopes: str, account: str | None
) -> Grant:
    values = read_config(integration, config)
    token = read_token(integration.display_name)
    try:
        return Grant(
            integration.integration_type,
            token,
            connection_config=values,
            scopes=scopes.split(),
            account_label=account,
        )
    except ValueError as error:
        raise click.UsageError(f"{error}.") from error


async def _put(path: Path, target: Target, grant: Grant) -> int:
    async with Vault(path) as vault:
        return (await vault.put(target.owner, grant)).generation
