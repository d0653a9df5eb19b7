"""The options that commands have in common, and what they mean together."""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TypeAlias, TypeVar

import attrs
import click
from click.shell_completion import CompletionItem

from connectors._command._failures import Failure
from connectors._command._output import tell
from connectors._identity import checked_app_id
from connectors._wire import encode_segment
from connectors.catalog import Integration, integrations
from connectors.local import Owner, Vault, default_vault
from connectors.local._environment import demand_environment
from connectors.local._files import exists
from connectors.local._oauth import scopes_error
from connectors.local._places import DEFAULT_APP, sandbox_vault

Catalog: TypeAlias = Callable[[], Mapping[str, Integration]]
"""What a command is run with besides its arguments: where it has the integration types from."""

_F = TypeVar("_F", bound=Callable[..., object])


def examples(*lines: str) -> str:
    """The examples at the end of a command's help."""
    return "\n".join(("\b\nExamples:", *(f"  {line}" for line in lines)))


def vault_option(function: _F) -> _F:
    """`--vault PATH`."""
    return click.option(
        "--vault",
        metavar="PATH",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar="BASE44_VAULT",
        show_envvar=True,
        callback=_vault,
        help="The vault's file, instead of the one in your data folder.",
    )(function)


def app_option(function: _F) -> _F:
    """`--app-id ID`."""
    return click.option(
        "--app-id",
        metavar="ID",
        default=DEFAULT_APP,
        show_default=True,
        callback=_app_id,
        help="Whose connections are meant; those of another app are apart.",
    )(function)


def type_argument(*, required: bool = True) -> Callable[[_F], _F]:
    """`TYPE`."""
    metavar = "TYPE" if required else "[TYPE]"
    return click.argument(
        "integration_type", required=required, metavar=metavar, shell_complete=_complete_type
    )


def target_options(function: _F) -> _F:
    """`TYPE [--connector ID] [--user NAME] [--app-id ID] [--vault PATH]`."""
    decorators = (
        type_argument(),
        click.option(
            "--connector", metavar="ID", help="A connector of the workspace, instead of the app's."
        ),
        click.option(
            "--user", metavar="NAME", help="This app user's own account; needs --connector."
        ),
        app_option,
        vault_option,
    )
    for decorate in reversed(decorators):
        function = decorate(function)
    return function


@attrs.frozen
class Target:
    """Whose account of which type a command is about."""

    integration_type: str
    owner: Owner

    @classmethod
    def checked(
        cls, app_id: str, integration_type: str, connector: str | None, user: str | None
    ) -> "Target":
        """What the options say.

        Raises:
            click.UsageError: They can't be meant.
        """
        if user is not None and connector is None:
            raise click.UsageError("--user needs --connector: the connector of the user's account.")
        try:
            encode_segment(integration_type, "TYPE")
            if connector is not None:
                encode_segment(connector, "--connector")
            return cls(integration_type, _owner(app_id, integration_type, connector, user))
        except ValueError as error:
            raise click.UsageError(str(error)) from error

    def demand_type(self, integration_type: str | None) -> None:
        """Refuse a connector that turns out to be of another type.

        Raises:
            Failure: It is.
        """
        if integration_type != self.integration_type:
            raise Failure(
                f"The connector {self.owner.name} is of the type {integration_type}, not "
                f"{self.integration_type}; `connectors list` shows which is which."
            )

    def __str__(self) -> str:
        owner = self.owner
        whose = "" if owner.kind == "app" else f" (connector {owner.name})"
        of = f"the user {owner.user} of " if owner.user else ""
        return f"{self.integration_type}{whose} of {of}the app {owner.app_id}"


def known_type(catalog: Catalog, integration_type: str) -> Integration:
    """A type of the catalogue.

    Raises:
        click.UsageError: There is none of that name.
    """
    found = catalog().get(integration_type)
    if found is None:
        raise click.UsageError(
            f"There is no type {integration_type!r}. {did_you_mean(integration_type)}\n"
            "`connectors list-available` shows all."
        )
    return found


async def demand_matching_vault(vault: Vault, catalog: Catalog) -> None:
    """Let no token of a sandbox go to a provider, nor the other way round.

    Raises:
        VaultUsageError: The vault is for others than the types of the catalogue.
        VaultError: It can't be used.
    """
    await demand_environment(vault, "providers" if catalog is integrations else "sandbox")


def split_scopes(integration: Integration, text: str) -> tuple[str, ...]:
    """The scopes of an option, separated by spaces or as the provider does.

    Raises:
        click.UsageError: One is none, or the type takes none.
    """
    scopes = tuple(text.replace(integration.scopes.separator, " ").split())
    error = scopes_error(integration, scopes)
    if error is not None:
        raise click.UsageError(f"{error}.")
    return scopes


def note_confidence(integration: Integration) -> None:
    """Say how far the catalogue is to be trusted, if that is not far."""
    if integration.confidence != "high":
        name = integration.integration_type
        tell(f"Note: not all that the catalogue says of {name} could be confirmed.")


def demand_vault(path: Path, maker: str = "connect TYPE") -> None:
    """Don't let a command that only looks make a vault.

    Args:
        path: Where it should be.
        maker: The command that makes one.

    Raises:
        Failure: There is none.
    """
    if not exists(path):
        raise Failure(
            f"There is no vault at {path}.\n`connectors {maker}` makes one; another one is "
            "named with --vault or BASE44_VAULT."
        )


def vault_for(path: Path, *, sandbox: bool) -> Path:
    """The vault that is meant: the sandbox has one of its own, unless another is named."""
    return sandbox_vault() if sandbox and path == default_vault() else path


def did_you_mean(integration_type: str) -> str:
    """The nearest types of the catalogue, as a sentence; empty for one that is among them."""
    if integration_type in integrations():
        return ""
    near = get_close_matches(integration_type.lower(), integrations(), n=3)
    return f"Did you mean {' or '.join(near)}?" if near else ""


def _owner(app_id: str, integration_type: str, connector: str | None, user: str | None) -> Owner:
    if connector is None:
        return Owner.app(app_id, integration_type)
    if user is None:
        return Owner.workspace(app_id, connector)
    return Owner.app_user(app_id, connector, user)


def _vault(_context: click.Context, _parameter: click.Parameter, path: Path | None) -> Path:
    if path == Path():
        # A folder was refused before, so it is no dot but nothing: a variable that is not set.
        raise click.BadParameter("a path must not be empty.")
    return default_vault() if path is None else path.absolute()


def _app_id(_context: click.Context, _parameter: click.Parameter, app_id: str) -> str:
    try:
        return checked_app_id(app_id)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _complete_type(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> Sequence[CompletionItem]:
    return [
        CompletionItem(name, help=integration.display_name)
        for name, integration in integrations().items()
        if name.startswith(incomplete)
    ]
