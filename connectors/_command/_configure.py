"""`connectors configure`: puts the registrations at providers into the vault, one for each type."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import anyio
import attrs
import click

from connectors._command._client_input import read_client
from connectors._command._config_input import read_client_config
from connectors._command._configured import list_configured
from connectors._command._failures import Failure
from connectors._command._options import (
    Catalog,
    demand_matching_vault,
    examples,
    known_type,
    note_confidence,
    split_scopes,
    type_argument,
    vault_option,
)
from connectors._command._output import say, shown, tell
from connectors._command._secret_input import is_interactive
from connectors._wire import encode_segment
from connectors.catalog import Integration
from connectors.local import ConnectionConfig, Vault
from connectors.local._files import exists
from connectors.local._oauth_records import OAuthApp, StoredOAuthApp
from connectors.local._redirects import (
    DEFAULT_PORT,
    loopback_problem,
    loopback_redirect,
    redirect_problem,
)


@click.command(
    "configure",
    epilog=examples(
        "connectors configure                            what is configured",
        "connectors configure gitlab                     asks for the client id and secret",
        "connectors configure slack --redirect-uri https://example.com/oauth/callback",
        "connectors configure notion < client.txt        the id and the secret on a line each",
        "connectors configure googleads --config developer_token=@token.txt",
        "connectors configure gitlab --remove",
    ),
)
@type_argument(required=False)
@click.option(
    "--redirect-uri",
    metavar="URL",
    help="Where the provider sends people back to, if not to this machine: an address of your own, "
    "or of a tunnel to `connectors dev`.",
)
@click.option("--scopes", metavar='"A B"', help="What is asked for, besides what the type needs.")
@click.option(
    "--config",
    multiple=True,
    metavar="NAME=VALUE",
    help="A value that all connections begin with; NAME=@FILE takes it from a file.",
)
@click.option(
    "--connector",
    multiple=True,
    metavar="ID",
    help="An id under which the app's users know the type; may be repeated.",
)
@click.option("--remove", is_flag=True, help="Erase what is configured for TYPE.")
@click.option("--yes", is_flag=True, help="Don't ask before something is removed.")
@click.option("--json", "as_json", is_flag=True, help="List what is configured as JSON.")
@vault_option
@click.pass_obj
def command(
    catalog: Catalog,
    *,
    integration_type: str | None,
    redirect_uri: str | None,
    scopes: str | None,
    config: tuple[str, ...],
    connector: tuple[str, ...],
    remove: bool,
    yes: bool,
    as_json: bool,
    vault: Path,
) -> None:
    """Put your registration at the provider of TYPE into the vault.

    An app that you register there has a client id and a client secret. They are asked for on a
    terminal, and read from standard input otherwise: on a line each, or as JSON. What is not given
    stays as it was; an empty --redirect-uri, --scopes or --connector takes it away. Without TYPE
    it lists what is configured.
    """
    changes = any(value is not None for value in (redirect_uri, scopes, *config, *connector))
    if integration_type is None:
        if remove or changes:
            raise click.UsageError("Which TYPE? `connectors list-available` shows all.")
        list_configured(catalog, vault, as_json=as_json)
        return
    if as_json:
        raise click.UsageError("--json is for the list of what is configured: leave out TYPE.")
    if remove and changes:
        raise click.UsageError("--remove erases all of it: it goes with no other change.")
    integration = known_type(catalog, integration_type)
    earlier = anyio.run(_found, vault, catalog, integration_type) if exists(vault) else None
    if remove:
        _remove(vault, integration_type, earlier, yes=yes)
        return
    asked = _Asked.checked(integration, redirect_uri, scopes, connector)
    _instruct(integration, asked.kept(earlier))
    client, given = read_client(integration.display_name, earlier.client if earlier else None)
    kept = ConnectionConfig({**((earlier and earlier.config) or {}), **given})
    app = OAuthApp(
        integration_type,
        client,
        config=read_client_config(integration, config, kept) or None,
        **attrs.asdict(asked.kept(earlier)),
    )
    anyio.run(_keep, vault, catalog, app)
    say(f"Configured {integration_type}. `{_next(integration, app)}` connects it.")
    if earlier is not None and earlier.client_id != client.client_id:
        tell("What was connected with the earlier client has to be connected again.")


def _next(integration: Integration, app: OAuthApp) -> str:
    refuses = app.redirect_uri is None and loopback_problem(integration) is not None
    needed = " --redirect-uri URL" if refuses else ""
    return f"connectors connect {integration.integration_type}{needed}"


@attrs.frozen
class _Asked:
    """What the options say, or what stays."""

    redirect_uri: str | None
    scopes: tuple[str, ...] | None
    connectors: tuple[str, ...] | None

    @classmethod
    def checked(
        cls,
        integration: Integration,
        redirect_uri: str | None,
        scopes: str | None,
        connectors: Sequence[str],
    ) -> "_Asked":
        """What the options say; None where they say nothing.

        Raises:
            click.UsageError: They can't be meant.
        """
        problem = redirect_problem(redirect_uri) if redirect_uri else None
        if problem is not None:
            raise click.UsageError(f"--redirect-uri is refused: {problem}.")
        for connector in filter(None, connectors):
            try:
                encode_segment(connector, "--connector")
            except ValueError as error:
                raise click.UsageError(str(error)) from error
        return cls(
            redirect_uri,
            None if scopes is None else split_scopes(integration, scopes),
            tuple(filter(None, connectors)) if connectors else None,
        )

    def kept(self, earlier: StoredOAuthApp | None) -> "_Asked":
        """The same with what was configured before."""
        before = earlier or _NOTHING_YET
        return _Asked(
            (before.redirect_uri if self.redirect_uri is None else self.redirect_uri) or None,
            before.scopes if self.scopes is None else self.scopes,
            before.connectors if self.connectors is None else self.connectors,
        )


_NOTHING_YET: Final = _Asked(None, (), ())


def _instruct(integration: Integration, asked: _Asked) -> None:
    """Say what has to be registered."""
    needed, examples_of = integration.scopes.required, integration.scopes.examples
    tell(f"For {integration.display_name} an app has to be registered with the provider:")
    tell(f"  to come back to   {asked.redirect_uri or _default_address(integration)}")
    tell(f"  what it accepts   {integration.redirect_uri_notes}")
    if needed:
        tell(f"  with the scopes   {' '.join(needed)}")
    if examples_of:
        tell(f"  and such as       {' '.join(examples_of)}")
    tell(f"  documentation     {integration.documentation_url}")
    note_confidence(integration)


def _default_address(integration: Integration) -> str:
    if loopback_problem(integration) is None:
        return loopback_redirect(DEFAULT_PORT)
    return "an https address of your own, which --redirect-uri keeps; it need not answer"


def _remove(
    vault: Path, integration_type: str, earlier: StoredOAuthApp | None, *, yes: bool
) -> None:
    if earlier is None:
        raise Failure(
            f"{integration_type} is not configured.\n`connectors configure` shows what is."
        )
    tell("What is connected stays, but can't be renewed without it.")
    question = shown(f"Erase the client {earlier.client_id} of {integration_type}?")
    if is_interactive() and not yes and not click.confirm(question, err=True):
        raise Failure("Nothing was changed.")
    anyio.run(_erase, vault, integration_type)
    say(f"Removed the client of {integration_type}; its secret is erased.")


async def _found(path: Path, catalog: Catalog, integration_type: str) -> StoredOAuthApp | None:
    async with Vault(path) as vault:
        await demand_matching_vault(vault, catalog)
        return await vault.apps.get(integration_type)


async def _keep(path: Path, catalog: Catalog, app: OAuthApp) -> None:
    async with Vault(path) as vault:
        await demand_matching_vault(vault, catalog)
        for other in await vault.apps.list():
            taken = set(other.connectors) & set(app.connectors)
            if taken and other.integration_type != app.integration_type:
                raise click.UsageError(
                    f"The connector {min(taken)} is one of {other.integration_type} already."
                )
        await vault.apps.configure(app)


async def _erase(path: Path, integration_type: str) -> None:
    async with Vault(path) as vault:
        await vault.apps.remove(integration_type)
