"""The power fails in the middle of a refresh: `python -m tests.conformance.power_cuts DIR 0 1`.

A refresh is done again and again in a process of its own, each time ended right before its next
write, until one lives. The provider is strict and lives on: what it has committed is in a file that
no power cut is in the way of. After each cut the vault is opened, the connection must be in one of
the states of the refresh protocol, and a process that comes later must end as the protocol says,
which knows what the provider knows.
"""
# ruff: noqa: T201 - what a process has to say it prints.

import contextlib
import hashlib
import json
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl

import anyio
import attrs

from connectors.local import Grant, Owner, Vault
from connectors.local._oauth_records import OAuthApp
from connectors.local._records import StoredConnection
from connectors.local._refresh import ConnectionUnusableError, TokenKeeper
from tests.conformance.oidc_catalog import catalog, oauth_client
from tests.conformance.power import cut
from transports import ConnectError, DisconnectedError, Phase, Request, Response, TransportError
from transports.mock import json_response

METHOD: Final = "client_secret_post"
TYPE: Final = f"oidc_{METHOD}"
OWNER: Final = Owner.app("my-app", TYPE)
SIBLING: Final = Owner.app_user("my-app", "c-1", "ada")
LIFETIME: Final = 3600
LATER: Final = 7200.0
"""Seconds: every quarantine and every delay is over then, and every token has ended."""


@attrs.frozen
class Provider:
    """A provider that rotates and takes no token twice; a `Transport` to it, too."""

    file: Path
    mode: str

    async def send(self, request: Request) -> Response:
        sent = dict(parse_qsl((request.body or b"").decode()))["refresh_token"]
        return _ANSWERS[self.mode](self, request, sent)

    async def aclose(self) -> None:
        """Nothing is open."""

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.file.read_text())
        return state

    def commit(self, **changed: object) -> None:
        draft = self.file.with_suffix(".draft")
        draft.write_text(json.dumps({**self.state, **changed}))
        draft.replace(self.file)

    def grants(self, _request: Request, sent: str) -> Response:
        state = self.state
        presented = {**state["presented"], sent: state["presented"].get(sent, 0) + 1}
        if not state["alive"] or sent != state["newest"]:
            self.commit(alive=False, presented=presented)
            return json_response({"error": "invalid_grant"}, status=400)
        newest = f"refresh-{int(sent.removeprefix('refresh-')) + 1}"
        self.commit(newest=newest, presented=presented)
        answer = {
            "access_token": newest.replace("refresh", "access"),
            "refresh_token": newest,
            "expires_in": LIFETIME,
        }
        return json_response(answer)

    def refuses(self, request: Request, sent: str) -> Response:
        self.commit(alive=False)
        return self.grants(request, sent)

    def loses_the_answer(self, request: Request, sent: str) -> Response:
        self.grants(request, sent)
        raise lost(request, "headers")

    def breaks_behind_a_gateway(self, request: Request, sent: str) -> Response:
        self.grants(request, sent)
        return Response(502)


def lost(request: Request, phase: Phase) -> TransportError:
    kind, sent = (ConnectError, False) if phase == "connect" else (DisconnectedError, True)
    return kind("it broke", method=request.method, url=request.url, phase=phase, maybe_sent=sent)


def fails(request: Request, phase: Phase) -> Response:
    raise lost(request, phase)


_ANSWERS: Final[dict[str, Callable[[Provider, Request, str], Response]]] = {
    "grants": Provider.grants,
    "refuses": Provider.refuses,
    "loses the answer": Provider.loses_the_answer,
    "breaks behind a gateway": Provider.breaks_behind_a_gateway,
    "is silent": lambda _, request, __: fails(request, "headers"),
    "is away": lambda _, request, __: fails(request, "connect"),
    "is busy": lambda _, __, ___: Response(503, {"retry-after": "7"}),
    "breaks": lambda _, __, ___: Response(500),
    "rejects the client": lambda _, __, ___: json_response({"error": "invalid_client"}, status=401),
    "says something odd": lambda _, __, ___: json_response({"error": "odd"}, status=400),
}

State: TypeAlias = tuple[str, str | None, int, str | None]
"""Of a connection: its state, why, how many generations later, and what is known of an exchange."""

STATES: Final[set[State]] = {
    ("active", None, 0, None),
    ("active", None, 0, "unanswered"),
    ("active", None, 0, "ambiguous"),
    ("active", None, 1, None),
    ("refresh_failed", "invalid_grant", 1, None),
    ("refresh_failed", "refresh_outcome_lost", 1, None),
}
"""Of a connection: its state, why, how many generations later, and what is known of an exchange."""


@attrs.frozen
class World:
    """A vault with a connection whose token has just ended, and its provider."""

    folder: Path

    @property
    def vault(self) -> Path:
        return self.folder / "vault" / "vault.db"

    def provider(self, mode: str) -> Provider:
        return Provider(self.folder / "provider.json", mode)

    def copy(self, folder: Path) -> "World":
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder, folder)
        return World(folder)


async def make(world: World) -> None:
    """Connect an account twice: both connections share a chain of tokens."""
    now = time.time()
    world.vault.parent.mkdir(parents=True)
    state = {"newest": "refresh-1", "alive": True, "presented": {}}
    world.provider("").file.write_text(json.dumps(state))
    async with Vault(world.vault) as vault:
        await vault.apps.configure(OAuthApp(TYPE, oauth_client(METHOD, "secret")))
        # In this order, as the second consent gives its tokens to the first: a generation more.
        for owner in (SIBLING, OWNER):
            grant = Grant(
                TYPE,
                "access-1",
                refresh_token="refresh-1",
                obtained_at=now - LIFETIME - 1,
                expires_at=now - 1,
                source="oauth",
                lock_key="f" * 64,
            )
            await vault.put(owner, grant)


async def refresh(world: World, mode: str, later: float = 0.0) -> None:
    """Ask for a good token, in whatever way that ends."""
    async with Vault(world.vault) as vault:
        keeper = TokenKeeper(
            vault,
            world.provider(mode),
            catalog=catalog("http://127.0.0.1:9"),
            clock=lambda: time.time() + later,
        )
        async with contextlib.aclosing(keeper):
            with contextlib.suppress(ConnectionUnusableError):
                await keeper.connection(OWNER)


async def connection(world: World) -> StoredConnection:
    async with Vault(world.vault) as vault:
        found = await vault.get(OWNER)
    assert found is not None
    return found


async def check(world: World, report: Path, later: float) -> None:
    """See in which state the connection is, and be the process that comes later."""
    found = await connection(world)
    await anyio.Path(report).write_text(json.dumps(state_of(found)))
    await recover(world, found, later)


def state_of(found: StoredConnection) -> State:
    """The state of a connection; one that there must not be is an error."""
    mark = found.presented
    state = (found.state, found.reason, found.generation - 1, mark.outcome if mark else None)
    assert state in STATES, state
    assert (found.access_token is None) == (found.state == "refresh_failed")
    assert (found.refresh_token is None) == (found.state == "refresh_failed")
    if mark is not None:
        assert mark.digest == hashlib.sha256(refresh_token(found).encode()).hexdigest()
    return state


async def recover(world: World, found: StoredConnection, later: float) -> None:
    """Be the process that comes later, and end as the provider's knowledge demands."""
    before = world.provider("").state
    has_newest = found.state == "active" and refresh_token(found) == before["newest"]
    # After two exchanges without an answer nobody presents it a third time.
    spent = found.presented is not None and found.presented.silences > 1
    await refresh(world, "grants", later + LATER)
    after = world.provider("").state
    found = await connection(world)
    assert max(after["presented"].values(), default=0) <= 2, after
    if has_newest and before["alive"] and not spent:
        assert found.state == "active", found
        assert refresh_token(found) == after["newest"] != before["newest"]
        assert after["alive"]
    elif before["alive"]:
        assert (found.state, found.reason) == ("refresh_failed", "refresh_outcome_lost"), found
    else:
        assert found.state == "refresh_failed", found
        assert found.reason in {"invalid_grant", "refresh_outcome_lost"}


def refresh_token(connection: StoredConnection) -> str:
    assert connection.refresh_token is not None
    return connection.refresh_token.reveal()


def in_child(work: Callable[[], Coroutine[Any, Any, None]], told: str) -> None:
    """Run it where its threads do no harm to who has to fork."""
    child = os.fork()
    if not child:
        try:
            anyio.run(work)
        except BaseException as error:  # noqa: BLE001 - the child must not go on as the parent.
            print(f"{told}: {error!r}", flush=True)
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        sys.exit(1)


def main(folder: Path, part: int, parts: int) -> None:
    """Cut each kind of refresh at each of its writes, and print how often what was found.

    Of so many processes that share the work this is the one that does a part of it, from 0.
    """
    seen: Counter[str] = Counter()
    fresh, marked = World(folder / "fresh"), World(folder / "marked")
    in_child(partial(make, fresh), "make")
    fresh.copy(marked.folder)
    # A token that was presented once already, to a provider that has not heard of it.
    in_child(partial(refresh, marked, "is silent"), "mark")
    works = [(fresh, mode, 0.0) for mode in _ANSWERS]
    works += [(marked, mode, LATER) for mode in ("grants", "refuses", "is silent")]
    for begin, mode, later in works[part::parts]:
        seen += cut_everywhere(begin, mode, folder / "now", later)
    print(json.dumps(seen))


def cut_everywhere(begin: World, mode: str, folder: Path, later: float) -> Counter[str]:
    seen: Counter[str] = Counter()
    ended, write = True, 0
    while ended:
        write += 1
        world = begin.copy(folder)
        work = partial(anyio.run, refresh, world, mode, later)
        ended = cut(work, world.vault.parent, write) is None
        report = folder / "seen.json"
        in_child(partial(check, world, report, later), f"{mode}, write {write}")
        if ended:
            seen[report.read_text()] += 1
    return seen


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
