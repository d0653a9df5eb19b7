"""`connectors connect`: connects an account, by a consent at the provider or with a token."""

from functools import partial
from pathlib import Path
from typing import NoReturn

import anyio
import click

from connectors._command._config_input import read_config, read_consent_config
from connectors._command._consenting import Wish, give_consent
from connectors._command._failures import Failure
from connectors._command._options import (
    Catalog,
    Target,
    demand_matching_vault,
    examples,
    known_type,
    note_confidence,
    split_scopes,
    target_options,
)
from connectors._command._output import say, tell, tell_no_events, time_text
from connectors._command._running import run_until_told
from connectors._command._secret_input import is_interactive, read_token
from connectors.catalog import Integration
from connectors.local import Grant, StoredConnection, Vault
from connectors.local._connecting import kept_config, lasts
from connectors.local._files import exists
from connectors.local._oauth_records import StoredOAuthApp
from connectors.local._redirects import loopback_problem, redirect_problem


def _refuse_token(_context: click.Context, _parameter: click.Parameter, given: object) -> None:
    if given is not None:
        _refuse()


def _refuse() -> NoReturn:
    # Without what was given: it is a token.
    raise click.UsageError(
        "A token is not taken from the command line, where other processes and the shell's "
        "history see it.\nUse --with-token to be asked for it, or pipe it in."
    )


@click.command(
    "connect",
    context_settings={"allow_extra_args": True},
    epilog=examples(
        "connectors connect gitlab                           opens the browser",
        'connectors connect gitlab --scopes "api read_user"',
        "connectors connect slack --paste                    asks for the address it ends at",
        "connectors connect slack --with-token               asks for a token that you have",
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
@click.option(
    "--scopes", default="", metavar='"A B"', help="What to ask for, or what the token is good for."
)
@click.option("--account", metavar="LABEL", help="Whose account a token is of, for you to see.")
@click.option("--with-token", is_flag=True, help="Put in a token that you have; it is asked for.")
@click.option("--no-browser", is_flag=True, help="Only show the address of the consent page.")
@click.option(
    "--paste",
    is_flag=True,
    help="Don't listen: ask for the address at which the browser ends. For a browser on another "
    "machine, or a provider that does not send it back to this one.",
)
@click.option(
    "--redirect-uri",
    metavar="URL",
    help="Where the provider sends the browser back to, this once.",
)
@click.option(
    "--port",
    metavar="N",
    type=click.IntRange(0, 65535),
    help="The port to listen on, by default that of the redirect address or 8044. With an https "
    "address it is the one to which a tunnel of yours leads.",
)
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
    with_token: bool,
    no_browser: bool,
    paste: bool,
    redirect_uri: str | None,
    port: int | None,
) -> None:
    """Connect an account of TYPE.

    With a client that `connectors configure` has put in, the browser opens the provider's consent
    page, and what it brings back is kept as the connection. A token that you have goes in with
    --with-token, which asks for it unseen, or through standard input. Either takes the place of
    what was there. `connectors list-available` shows all types.
    """
    if len(context.args) == 1:
        _refuse()
    if context.args:
        raise click.UsageError("There are too many arguments: it takes one TYPE.")
    catalog: Catalog = context.obj
    integration = known_type(catalog, integration_type)
    target = Target.checked(app_id, integration_type, connector, user)
    consenting = no_browser or paste or redirect_uri is not None or port is not None
    if with_token or not is_interactive():
        if consenting:
            raise click.UsageError(
                "--no-browser, --paste, --redirect-uri and --port are for a consent, which takes "
                "a terminal and no --with-token."
            )
        note_confidence(integration)
        grant = _grant(integration, config, scopes, account)
        generation = anyio.run(_put, vault, catalog, target, grant)
        say(_connected(target, generation))
        return
    if account is not None:
        raise click.UsageError("--account is for a token that you have.")
    problem = redirect_problem(redirect_uri) if redirect_uri is not None else None
    if problem is not None:
        raise click.UsageError(f"--redirect-uri is refused: {problem}.")
    app, earlier = anyio.run(_found, vault, catalog, target) if exists(vault) else (None, None)
    if app is None:
        raise _no_client(integration)
    comes_back = redirect_uri or app.redirect_uri
    problem = loopback_problem(integration) if comes_back is None else None
    if problem is not None:
        raise Failure(f"{problem}.")
    if paste and port is not None and comes_back is not None:
        raise click.UsageError(
            f"--port is of no use with --paste: the address to come back to is {comes_back}."
        )
    note_confidence(integration)
    wish = Wish(
        owner=target.owner,
        integration=integration,
        scopes=split_scopes(integration, scopes),
        config=read_consent_config(integration, config, kept_config(integration, app, earlier)),
        redirect_uri=comes_back,
        port=port,
        browser=not no_browser,
        paste=paste,
    )
    connection = _consented(vault, wish, catalog)
    say(_connected(target, connection.generation))
    _tell_end(integration, connection)


def _connected(target: Target, generation: int) -> str:
    return f"Connected {target}{', in place of what was there' if generation > 1 else ''}."


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
            scopes=split_scopes(integration, scopes),
            account_label=account,
        )
    except ValueError as error:
        raise click.UsageError(f"{error}.") from error


async def _put(path: Path, catalog: Catalog, target: Target, grant: Grant) -> int:
    async with Vault(path) as vault:
        await demand_matching_vault(vault, catalog)
        return (await vault.put(target.owner, grant)).generation


async def _found(
    path: Path, catalog: Catalog, target: Target
) -> tuple[StoredOAuthApp | None, StoredConnection | None]:
    async with Vault(path) as vault:
        await demand_matching_vault(vault, catalog)
        return await vault.apps.get(target.integration_type), await vault.get(target.owner)


def _no_client(integration: Integration) -> Failure:
    name = integration.integration_type
    return Failure(
        f"There is no OAuth client to ask {integration.display_name} for consent with.\n"
        f"  connectors configure {name}             puts one in\n"
        f"  connectors connect {name} --with-token  takes a token that you have"
    )


def _consented(vault: Path, wish: Wish, catalog: Catalog) -> StoredConnection:
    tell_no_events()
    try:
        return run_until_told(partial(give_consent, vault, wish, catalog()))
    except KeyboardInterrupt:
        # A terminal has shown ^C at the beginning of the line.
        tell("\nNothing was connected, and the consent is forgotten.")
        raise


def _tell_end(integration: Integration, connection: StoredConnection) -> None:
    if lasts(integration, connection):
        return
    assert connection.expires_at is not None
    tell(
        f"Note: {integration.display_name} gave nothing to renew the token with: it ends on "
        f"{time_text(connection.expires_at)}, and has to be connected again then."
    )
    if integration.refresh.condition is not None:
        tell(f"Its condition for that: {integration.refresh.condition}.")
