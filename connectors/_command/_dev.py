"""`connectors dev`: the local backend on a port, until it is stopped."""

import errno
import shlex
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import click

from connectors._command._failures import Failure
from connectors._command._options import app_option, examples, vault_option
from connectors._command._output import is_terminal, tell
from connectors._command._running import run_until_told
from connectors.local import (
    Authority,
    LocalBackend,
    Server,
    Vault,
    default_vault,
    serve,
    vault_authority,
)
from connectors.local._guard import in_url
from connectors.local._places import DEFAULT_APP
from connectors.local._redirects import loopback_redirect
from connectors.local._serving import listen

_PORT: Final = 8044
_HOST: Final = "127.0.0.1"
# Seconds for requests under way when it is stopped; all of them are short.
_GRACE: Final = 2.0


@click.command(
    "dev",
    epilog=examples(
        "connectors dev                             in one terminal, and in another:",
        'eval "$(connectors dev --print-env)"       lets programs there use it',
        "connectors dev --port 0 > env.sh &         takes any free port",
    ),
)
@click.option(
    "--port",
    metavar="N",
    type=click.IntRange(0, 65535),
    default=_PORT,
    show_default=True,
    help="The port; 0 takes a free one.",
)
@click.option(
    "--host", metavar="ADDRESS", default=_HOST, show_default=True, help="The address to listen on."
)
@app_option
@vault_option
@click.option("--print-env", is_flag=True, help="Print the lines to export and don't serve.")
def command(*, port: int, host: str, app_id: str, vault: Path, print_env: bool) -> None:
    """Serve the connectors API over the vault, until Ctrl-C.

    Prints the lines that a program's environment needs, with the tokens of this vault; all else
    goes to standard error. The tokens stay the same from one start to the next.
    """
    if print_env and not port:
        raise click.UsageError("--print-env needs the --port of the `connectors dev` that serves.")
    if print_env:
        authority = anyio.run(_authority, vault)
        click.echo(_exports(app_id, authority, f"http://{in_url(host)}:{port}"))
        return
    with suppress(KeyboardInterrupt):  # It is how a server ends.
        run_until_told(partial(_serve, vault, app_id, host, port))
    # A terminal has shown ^C at the beginning of the line.
    tell("\nStopped." if is_terminal(sys.stderr) else "Stopped.")


async def _authority(path: Path) -> Authority:
    async with Vault(path) as vault:
        return await vault_authority(vault)


async def _serve(path: Path, app_id: str, host: str, port: int) -> None:
    async with Vault(path) as vault:
        authority = await vault_authority(vault)
        try:
            listener = await listen(host, port)
        except OSError as error:
            raise Failure(_problem(error, host, port)) from error
        redirect_uri = loopback_redirect(listener.server.port)
        async with (
            LocalBackend(vault, authority, redirect_uri=redirect_uri) as backend,
            serve(backend, listener=listener, grace=_GRACE) as server,
        ):
            click.echo(_exports(app_id, authority, server.url))
            _tell(server, app_id, path)
            await backend.sweep()


def _exports(app_id: str, authority: Authority, url: str) -> str:
    """The one text of a command that has tokens without being asked for them: it is its purpose."""
    variables = {
        "BASE44_APP_ID": app_id,
        "BASE44_SERVICE_TOKEN": authority.service_token.reveal(),
        "BASE44_API_KEY": authority.api_key.reveal(),
        "BASE44_API_URL": url,
    }
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())


def _tell(server: Server, app_id: str, path: Path) -> None:
    if server.exposed:
        tell(
            "WARNING: other machines can reach this server, and tokens cross the network "
            "unencrypted. Without --host it is only for this machine."
        )
    tell(f"Serving the connectors API of {path} on {server.url}; Ctrl-C stops it.")
    tell(
        f'Programs use it with the lines above, or after: eval "$({_again(server, app_id, path)})"'
    )


def _again(server: Server, app_id: str, path: Path) -> str:
    """The command that prints the same lines in another terminal."""
    options = (
        ("--port", str(server.port), str(_PORT)),
        ("--host", server.host, _HOST),
        ("--app-id", app_id, DEFAULT_APP),
        ("--vault", str(path), str(default_vault())),
    )
    needed = [part for name, value, usual in options if value != usual for part in (name, value)]
    return shlex.join(("connectors", "dev", "--print-env", *needed))


def _problem(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} of {host} is taken, perhaps by another `connectors dev`.\n"
            "Stop that, or take another one with --port; --port 0 takes any that is free."
        )
    return f"Can't listen on {host}, port {port}: {error.strerror or error}."
