"""The commands by their names, each imported when it is asked for.

So a command that only reads the vault does not wait for the server to be imported.
"""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from typing import Final

import click

from connectors._command._failures import exit_code
from connectors._command._output import write_whatever_comes
from connectors._interrupts import held
from connectors._version import __version__
from connectors.catalog import Integration, integrations

_COMMANDS: Final = {
    "demo": "_demo",
    "configure": "_configure",
    "connect": "_connect",
    "list": "_list",
    "get": "_get",
    "disconnect": "_disconnect",
    "dev": "_dev",
    "user-token": "_user_token",
    "record": "_record",
    "list-available": "_list_available",
    "backup": "_backup",
    "restore": "_restore",
    "rotate-keys": "_rotate_keys",
}
"""The module of each command, in the order in which a person needs them."""

_EPILOG: Final = """\b
Examples:
  connectors demo                 see what it does, in a temporary folder
  connectors dev --sandbox        all types, connected to pretend accounts
  connectors configure github     put in your registration at a provider
  connectors connect github       give consent in the browser
  connectors get github           look at the connection
  connectors dev                  serve it to programs in any language

\b
Completion in the shell, here for bash; zsh and fish go the same way:
  eval "$(_CONNECTORS_COMPLETE=bash_source connectors)"
"""


class _Commands(click.Group):
    """A group that knows the names of its commands before it has them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, from its module."""
        if cmd_name not in _COMMANDS:
            _refuse(ctx, cmd_name)
            return None
        with held():
            module = import_module(f"connectors._command.{_COMMANDS[cmd_name]}")
        command = module.command
        assert isinstance(command, click.Command)
        return command


def _refuse(context: click.Context, name: str) -> None:
    if context.resilient_parsing:  # A shell asks how to complete it.
        return
    near = get_close_matches(name, _COMMANDS)
    advice = f" Did you mean {' or '.join(near)}?" if near else ""
    context.fail(f"There is no command {name!r}.{advice}")


@click.group(
    cls=_Commands,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="base44-connectors", message="%(prog)s %(version)s")
def commands() -> None:
    """Connections to external services, in an encrypted vault of your own.

    A program reaches them as it reaches the hosted service: with Client.local() in its own process,
    or over HTTP from `connectors dev`.
    """


def run(
    arguments: Sequence[str] | None = None,
    *,
    catalog: Callable[[], Mapping[str, Integration]] = integrations,
) -> int:
    """Run the command and return its exit code.

    Args:
        arguments: Its arguments, by default the program's.
        catalog: Gives the integration types, if they are not those of `connectors.catalog`.
    """
    write_whatever_comes()
    given = None if arguments is None else list(arguments)
    main = partial(commands.main, given, prog_name="connectors", standalone_mode=False)
    return exit_code(partial(main, obj=catalog))
