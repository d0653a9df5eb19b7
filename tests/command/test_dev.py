"""`connectors dev`: what it prints, that programs can use it, and how it stops."""

import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import parse_qsl, urlencode, urlsplit
from urllib.request import Request, urlopen

import attrs
import pytest

from connectors._command._dev import _comes_back
from connectors.local._serving import Listener
from tests.command.support import (
    COMMAND,
    TOKEN,
    Terminal,
    environment,
    exported,
    here,
    started,
)

# What a user's program does, with what the exported lines tell it.
PROGRAM = """
import asyncio
from connectors import Client

async def main():
    async with Client.from_env() as base44:
        connectors = base44.as_service_role.connectors
        print((await connectors.get_connection("slack")).access_token)
        print(*[c.integration_type for c in await base44.management.list_connectors()])

asyncio.run(main())
"""
ON_TRIO = """
import trio
from connectors import Client, NotConnectedError

async def greet(base44, name):
    connection = await base44.as_service_role.connectors.get_connection("slack")
    print(name, connection.access_token)

async def main():
    async with Client.from_env() as base44:
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                for name in ("ada", "grace"):
                    nursery.start_soon(greet, base44, name)
        with trio.move_on_after(0):
            await greet(base44, "nobody")
        try:
            await base44.as_service_role.connectors.get_connection("github")
        except NotConnectedError as error:
            print(error.code)

trio.run(main)
"""
OF_THE_USER = """
import asyncio
from connectors import Client

async def main():
    async with Client.from_env() as base44:
        connectors = base44.as_service_role.connectors
        print((await connectors.get_current_app_user_connection("c-1")).access_token)

asyncio.run(main())
"""


CONSENT = """
import asyncio
from connectors import Client

async def main():
    async with Client.from_env() as base44:
        print((await base44.management.authorize("box")).redirect_url)

asyncio.run(main())
"""


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    vault = tmp_path / "vault.db"
    assert here(vault, "connect", "slack", stdin=TOKEN).code == 0
    return vault


@attrs.frozen
class Served:
    """A `connectors dev` that serves."""

    process: "subprocess.Popen[str]"
    lines: str
    variables: dict[str, str]

    def stopped(self) -> str:
        """Its words to a person, when it has ended well."""
        out, err = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, err
        assert out == ""
        assert "Traceback" not in err
        assert not any(token in err for token in self.tokens)
        return err

    @property
    def tokens(self) -> tuple[str, str]:
        return self.variables["BASE44_SERVICE_TOKEN"], self.variables["BASE44_API_KEY"]

    @property
    def port(self) -> int:
        return int(self.variables["BASE44_API_URL"].rpartition(":")[2])


@contextmanager
def serving(vault: Path, *options: str) -> Iterator[Served]:
    with started(vault, "dev", "--port", "0", *options) as process:
        assert process.stdout is not None
        lines = "".join(process.stdout.readline() for _ in range(4))
        yield Served(process, lines, dict(exported(lines)))


def program(code: str, variables: dict[str, str]) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(Path(), **variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return ran.stdout or ran.stderr


def test_a_shell_that_runs_the_lines_lets_a_program_use_the_backend(vault: Path) -> None:
    with serving(vault) as dev:
        assert set(dev.variables) == {
            "BASE44_APP_ID",
            "BASE44_SERVICE_TOKEN",
            "BASE44_API_KEY",
            "BASE44_API_URL",
        }
        assert program(PROGRAM, dev.variables) == f"{TOKEN}\nslack\n"


def test_a_trio_program_gets_a_connection_over_http(vault: Path) -> None:
    with serving(vault) as dev:
        told = program(ON_TRIO, dev.variables).splitlines()
    assert sorted(told) == ["NOT_FOUND", f"ada {TOKEN}", f"grace {TOKEN}"]


def test_a_program_can_be_an_app_user(vault: Path) -> None:
    options = ("--connector", "c-1", "--user", "ada")
    assert here(vault, "connect", "slack", *options, stdin="of-ada").code == 0
    user_token = here(vault, "user-token", "ada").out.strip()
    with serving(vault) as dev:
        variables = {**dev.variables, "BASE44_ACCESS_TOKEN": user_token}
        assert program(OF_THE_USER, variables) == "of-ada\n"


def test_a_provider_is_told_to_send_people_back_to_it_and_answers_them(vault: Path) -> None:
    assert here(vault, "configure", "box", stdin="client-1\nsecret\n").code == 0
    with serving(vault) as dev:
        url = urlsplit(program(CONSENT, dev.variables).strip())
        query = dict(parse_qsl(url.query))
        back = f"http://localhost:{dev.port}/oauth/callback"
        assert (url.netloc, query["redirect_uri"]) == ("account.box.com", back)
        # Who comes back without consent is told so by a page.
        denied = urlencode({"state": query["state"], "error": "access_denied"})
        with pytest.raises(HTTPError) as refused:
            urlopen(f"{back}?{denied}")
        with refused.value as page:
            assert (page.status, page.headers["content-type"]) == (400, "text/html; charset=utf-8")
            assert b"Not connected" in page.read()


@pytest.mark.parametrize(
    ("host", "back"),
    [
        ("127.0.0.1", "http://localhost:{}/"),
        ("localhost", "http://localhost:{}/"),
        ("0.0.0.0", "http://localhost:{}/"),
        ("127.0.0.2", "http://127.0.0.2:{}/"),
    ],
)
def test_a_provider_is_told_of_an_address_at_which_it_listens(
    vault: Path, host: str, back: str
) -> None:
    assert here(vault, "configure", "box", stdin="client-1\nsecret\n").code == 0
    with serving(vault, "--host", host) as dev:
        query = dict(parse_qsl(urlsplit(program(CONSENT, dev.variables).strip()).query))
        assert query["redirect_uri"].startswith(back.format(dev.port))
        with pytest.raises(HTTPError, match="400"):
            urlopen(query["redirect_uri"])


@pytest.mark.parametrize(
    ("host", "back"), [("::1", "http://[::1]:{}/oauth/callback"), ("192.0.2.7", None)]
)
def test_nobody_is_sent_back_to_where_it_does_not_listen(host: str, back: str | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        expected = back and back.format(listening.getsockname()[1])
        assert _comes_back(Listener(listening, host)) == expected


def test_a_tunnel_leads_to_its_callback_and_to_nothing_else(vault: Path) -> None:
    redirect = ("--redirect-uri", "https://demo.ngrok.app/oauth/callback")
    assert here(vault, "configure", "box", *redirect, stdin="client-1\nsecret\n").code == 0
    with serving(vault) as dev:
        assert [through_the_tunnel(dev, path) for path in ("/oauth/callback", "/")] == [400, 421]


def through_the_tunnel(dev: Served, path: str) -> int:
    request = Request(f"http://127.0.0.1:{dev.port}{path}", headers={"Host": "demo.ngrok.app"})
    with pytest.raises(HTTPError) as refused:
        urlopen(request)
    with refused.value as answer:
        return answer.status or 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly_when_it_is_told_to(vault: Path, number: signal.Signals) -> None:
    with serving(vault) as dev:
        dev.process.send_signal(number)
        told = dev.stopped()
    assert f"Serving the connectors API of {vault} on http://127.0.0.1:{dev.port}" in told
    assert told.endswith("Stopped.\n")


def test_ctrl_c_in_its_terminal_ends_it_cleanly(vault: Path) -> None:
    with Terminal(vault, "dev", "--port", "0") as terminal:
        terminal.expect("Ctrl-C stops it.")
        terminal.type("\x03")
        assert terminal.wait() == 0
        assert terminal.text.endswith("Stopped.\r\n")
        assert "Traceback" not in terminal.text


def test_in_the_background_of_a_script_it_leaves_ctrl_c_to_others_and_ends_when_told_to(
    vault: Path,
) -> None:
    # As `connectors dev &` in a script: the shell has it ignore what Ctrl-C sends.
    process = subprocess.Popen(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *COMMAND, "dev", "--port", "0"],
        env=environment(vault),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        lines = "".join(process.stdout.readline() for _ in range(4))
        dev = Served(process, lines, dict(exported(lines)))
        process.send_signal(signal.SIGINT)
        assert TOKEN in program(PROGRAM, dev.variables)
        process.terminate()
        assert "Stopped." in dev.stopped()


def test_two_of_them_serve_one_vault_with_the_same_tokens(vault: Path) -> None:
    with serving(vault) as one, serving(vault, "--app-id", "o'ther app") as two:
        assert one.tokens == two.tokens
        assert one.port != two.port
        assert two.variables["BASE44_APP_ID"] == "o'ther app"
        assert TOKEN in program(PROGRAM, one.variables)
        assert "slack" in program(PROGRAM, {**two.variables, "BASE44_APP_ID": "local"})


def test_the_lines_can_be_had_in_another_terminal_as_it_says(vault: Path) -> None:
    with serving(vault, "--app-id", "an app") as dev:
        dev.process.terminate()
        told = dev.stopped()
    again = shlex.split(told.partition('eval "$(')[2].partition(')"')[0])
    assert again[:3] == ["connectors", "dev", "--print-env"]
    assert here(Path("not this one"), *again[1:]).out == dev.lines


def test_the_usual_options_are_not_repeated_for_another_terminal(vault: Path) -> None:
    folder = str(vault.parent)
    with Terminal(vault, "dev", XDG_DATA_HOME=folder, HOME=folder, BASE44_VAULT="") as terminal:
        terminal.expect("eval")
        # Another program may have the usual port: then that is what it says.
        terminal.type("\x03")
        terminal.wait()
    assert 'eval "$(connectors dev --print-env)"' in terminal.text


def test_lines_without_a_port_can_not_be_had(vault: Path) -> None:
    ran = here(vault, "dev", "--print-env", "--port", "0")
    assert ran.code == 2
    assert "--print-env needs the --port" in ran.err


def test_a_port_that_is_taken_is_told_with_the_way_out(vault: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = here(vault, "dev", "--port", port)
    assert (ran.code, ran.out) == (1, "")
    assert f"Port {port} of 127.0.0.1 is taken" in ran.err
    assert "--port 0" in ran.err


def test_an_address_that_is_not_of_this_machine_is_told(vault: Path) -> None:
    ran = here(vault, "dev", "--port", "0", "--host", "name.invalid")
    assert ran.code == 1
    assert ran.err.startswith("Error: Can't listen on name.invalid, port 0: ")


def test_letting_other_machines_in_is_told_loudly(vault: Path) -> None:
    with serving(vault, "--host", "0.0.0.0") as dev:
        assert dev.variables["BASE44_API_URL"].startswith("http://127.0.0.1:")
        assert TOKEN in program(PROGRAM, dev.variables)
        dev.process.terminate()
        told = dev.stopped()
    assert "WARNING: other machines can reach this server" in told
