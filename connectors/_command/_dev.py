"""`connectors dev`: the local backend on a port, until it is stopped."""

import errno
import shlex
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import attrs
import click

from connectors._command._failures import Failure
from connectors._command._options import app_option, examples, vault_for, vault_option
from connectors._command._output import is_terminal, progress, tell
from connectors._command._running import run_until_told
from connectors.catalog import Integration, integrations
from connectors.local import (
    Authority,
    LocalBackend,
    Server,
    Vault,
    default_vault,
    serve,
    vault_authority,
)
from connectors.local._environment import demand_environment
from connectors.local._loopback import in_url, is_loopback
from connectors.local._places import DEFAULT_APP
from connectors.local._redirects import DEFAULT_PORT, loopback_redirect
from connectors.local._sandbox import LIFETIME, SandboxProvider, serve_sandbox
from connectors.local._sandbox._filling import connect_accounts, register_clients
from connectors.local._serving import Listener, listen

_HOST: Final = "127.0.0.1"
_SWEEPS_IN_A_LIFETIME: Final = 8
_LONGEST_LIFETIME: Final = 86_400
# Seconds for requests under way when it is stopped; all of them are short.
_GRACE: Final = 2.0


def _checked_lifetime(
    _context: click.Context, _parameter: click.Parameter, seconds: float | None
) -> float | None:
    # click's own range takes what is no number for one.
    if seconds is not None and not 1 <= seconds <= _LONGEST_LIFETIME:
        raise click.BadParameter(f"it must be from 1 to {_LONGEST_LIFETIME} seconds")
    return seconds


@click.command(
    "dev",
    epilog=examples(
        "connectors dev                             in one terminal, and in another:",
        'eval "$(connectors dev --print-env)"       lets programs there use it',
        "connectors dev --port 0 > env.sh &         takes any free port",
        "connectors dev --sandbox                   connects accounts of all types, none of yours",
    ),
)
@click.option(
    "--port",
    metavar="N",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="The port; 0 takes a free one.",
)
@click.option(
    "--host", metavar="ADDRESS", default=_HOST, show_default=True, help="The address to listen on."
)
@app_option
@vault_option
@click.option("--print-env", is_flag=True, help="Print the lines to export and don't serve.")
@click.option(
    "--sandbox",
    is_flag=True,
    help="Play the providers, too: an account of each type is connected, with a vault of its own.",
)
@click.option(
    "--sandbox-lifetime",
    metavar="SECONDS",
    type=float,
    callback=_checked_lifetime,
    help=f"How long the sandbox's access tokens live, by default {LIFETIME:g}.",
)
def command(
    *,
    port: int,
    host: str,
    app_id: str,
    vault: Path,
    print_env: bool,
    sandbox: bool,
    sandbox_lifetime: float | None,
) -> None:
    """Serve the connectors API over the vault, until Ctrl-C.

    Prints the lines that a program's environment needs, with the tokens of this vault; all else
    goes to standard error. The tokens stay the same from one start to the next.

    With --sandbox no account is needed anywhere: this machine plays all providers, with consent
    pages, and tokens that expire and rotate. Only the service is real, so a program meets what its
    providers will do to it.
    """
    if print_env and not port:
        raise click.UsageError("--print-env needs the --port of the `connectors dev` that serves.")
    if sandbox_lifetime is not None and not sandbox:
        raise click.UsageError("--sandbox-lifetime needs --sandbox: real tokens live as they do.")
    vault = vault_for(vault, sandbox=sandbox)
    lifetime = (sandbox_lifetime or LIFETIME) if sandbox else None
    wanted = _Wanted(vault, app_id, host, port, lifetime)
    if print_env:
        authority = anyio.run(_authority, vault)
        click.echo(_exports(app_id, authority, f"http://{in_url(host)}:{port}"))
        return
    with suppress(KeyboardInterrupt):  # It is how a server ends.
        run_until_told(partial(_serve, wanted))
    # A terminal has shown ^C at the beginning of the line.
    tell("\nStopped." if is_terminal(sys.stderr) else "Stopped.")


@attrs.frozen
class _Wanted:
    """What is to be served, and where."""

    path: Path
    app_id: str
    host: str
    port: int
    lifetime: float | None
    """How long a token of the sandbox lives; None without a sandbox."""


async def _authority(path: Path) -> Authority:
    async with Vault(path) as vault:
        return await vault_authority(vault)


async def _serve(wanted: _Wanted) -> None:
    async with Vault(wanted.path) as vault:
        await demand_environment(vault, "providers" if wanted.lifetime is None else "sandbox")
        authority = await vault_authority(vault)
        try:
            listener = await listen(wanted.host, wanted.port)
        except OSError as error:
            raise Failure(_problem(error, wanted.host, wanted.port)) from error
        with listener.socket:
            await _answer(vault, authority, listener, wanted)


async def _answer(vault: Vault, authority: Authority, listener: Listener, wanted: _Wanted) -> None:
    async with (
        _providers(vault, wanted) as catalog,
        LocalBackend(
            vault,
            authority,
            catalog=catalog,
            redirect_uri=_comes_back(listener),
            allow_local_hosts=catalog is not None,
        ) as backend,
        serve(
            backend, listener=listener, callback_hosts=backend.callback_hosts, grace=_GRACE
        ) as server,
    ):
        click.echo(_exports(wanted.app_id, authority, server.url))
        _tell(server, wanted)
        if wanted.lifetime is None:
            await backend.sweep()
        else:
            # Some are renewed only while they are good, and these are so for a moment.
            await backend.sweep(interval=wanted.lifetime / _SWEEPS_IN_A_LIFETIME)


def _comes_back(listener: Listener) -> str | None:
    """Where providers send people back to; None when no browser of this machine finds it there."""
    host, port = listener.server.host, listener.server.port
    if host == _HOST or host != listener.host:
        # What `configure` names, because a provider knows an address letter by letter. Who listens
        # on all addresses listens on that one, too.
        return loopback_redirect(port)
    return loopback_redirect(port, host) if is_loopback(host) else None


@asynccontextmanager
async def _providers(
    vault: Vault, wanted: _Wanted
) -> AsyncIterator[Mapping[str, Integration] | None]:
    """The types as the sandbox plays them, connected; None for those of the real providers."""
    if wanted.lifetime is None:
        yield None
    else:
        provider = SandboxProvider(lifetime=wanted.lifetime)
        async with serve_sandbox(provider) as sandbox:
            types = provider.integrations(sandbox.url)
            with progress("Connecting an account of each type", len(types)) as step:
                await register_clients(vault, provider, types)
                await connect_accounts(vault, provider, types, wanted.app_id, step)
            yield types


def _exports(app_id: str, authority: Authority, url: str) -> str:
    """The one text of a command that has tokens without being asked for them: it is its purpose."""
    variables = {
        "BASE44_APP_ID": app_id,
        "BASE44_SERVICE_TOKEN": authority.service_token.reveal(),
        "BASE44_API_KEY": authority.api_key.reveal(),
        "BASE44_API_URL": url,
    }
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())


def _tell(server: Server, wanted: _Wanted) -> None:
    if server.exposed:
        tell(
            "WARNING: other machines can reach this server, and tokens cross the network "
            "unencrypted. Without --host it is only for this machine."
        )
    if wanted.lifetime is not None:
        tell(
            f"SANDBOX: all {len(integrations())} types are connected to pretend accounts of this "
            f"machine; their tokens live for {wanted.lifetime:g} seconds."
        )
    tell(f"Serving the connectors API of {wanted.path} on {server.url}; Ctrl-C stops it.")
    tell(f'Programs use it with the lines above, or after: eval "$({_again(server, wanted)})"')
    tell(f"A token of an app's user: {_user_token(wanted)}")


def _again(server: Server, wanted: _Wanted) -> str:
    """The command that prints the same lines in another terminal."""
    options = (
        ("--port", str(server.port), str(DEFAULT_PORT)),
        ("--host", server.host, _HOST),
        ("--app-id", wanted.app_id, DEFAULT_APP),
    )
    needed = [part for name, value, usual in options if value != usual for part in (name, value)]
    return shlex.join(("connectors", "dev", "--print-env", *needed, *_which_vault(wanted)))


def _user_token(wanted: _Wanted) -> str:
    """The command that makes a program one of the app's users."""
    return shlex.join(("connectors", "user-token", "NAME", *_which_vault(wanted)))


def _which_vault(wanted: _Wanted) -> tuple[str, ...]:
    """The options that name the vault, as far as it is not the usual one."""
    is_sandbox = wanted.lifetime is not None
    sandbox = ("--sandbox",) if is_sandbox else ()
    is_usual = wanted.path == vault_for(default_vault(), sandbox=is_sandbox)
    return sandbox if is_usual else (*sandbox, "--vault", str(wanted.path))


def _problem(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} of {host} is taken, perhaps by another `connectors dev`.\n"
            "Stop that, or take another one with --port; --port 0 takes any that is free."
        )
    return f"Can't listen on {host}, port {port}: {error.strerror or error}."
