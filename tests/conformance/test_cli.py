"""The official CLI, unmodified, works against `connectors dev`, and what the tests see of it is so.

What it does in front of a person, who is asked and whose browser it opens, it does on a terminal.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from connectors.catalog import integrations
from connectors.local import ConnectionSummary, Grant, Owner
from tests.conformance.backend import APP, Backend, local_backend
from tests.conformance.cli import Project
from tests.conformance.person import decide
from tests.conformance.stub import Answer, Stub

CONSENT: Final = "http://127.0.0.1:9/consent?state=s-1"
AUTHORIZATION: Final = {
    "redirect_url": CONSENT,
    "connection_id": "c-1",
    "already_authorized": False,
    "error": None,
    "error_message": None,
    "other_user_email": None,
}


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    folder = tmp_path / "backend"
    folder.mkdir()
    async with local_backend(folder, empty=True) as running:
        yield running


@pytest.fixture
def project(backend: Backend, tmp_path: Path) -> Project:
    return Project(tmp_path, backend.settings.server_url, APP, backend.api_key)


@pytest.fixture
def stubbed(stub: Stub, tmp_path: Path) -> Project:
    return Project(tmp_path, stub.url, APP, "b44k_test")


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Backend]:
    folder = tmp_path / "sandbox"
    folder.mkdir()
    async with local_backend(folder, sandbox=True) as running:
        yield running


@pytest.fixture
def linked(sandbox: Backend, tmp_path: Path) -> Project:
    """A project of an app that has an account of each type connected."""
    return Project(tmp_path, sandbox.settings.server_url, APP, sandbox.api_key)


async def connect(backend: Backend, **scopes: list[str]) -> None:
    for name, granted in scopes.items():
        await backend.vault.put(Owner.app(APP, name), Grant(name, "t", scopes=granted))


async def test_it_lists_every_type_of_the_catalogue(project: Project) -> None:
    ran = await project.run("list-available", "--json")
    assert ran.code == 0, ran
    assert isinstance(ran.json, dict)
    told = {entry["integrationType"] for entry in ran.json["integrations"]}
    assert told == set(integrations())


async def test_it_pulls_what_is_connected(project: Project, backend: Backend) -> None:
    await connect(backend, notion=["read"], slack=["chat:write", "users:read"])
    project.write("slack", ["users:read"])
    project.write("github", ["repo"])
    ran = await project.run("pull", "--json")
    assert ran.code == 0, ran
    assert {name: json.loads(text) for name, text in project.files.items()} == {
        "notion.jsonc": {"type": "notion", "scopes": ["read"]},
        "slack.jsonc": {"type": "slack", "scopes": ["chat:write", "users:read"]},
    }


async def test_it_pushes_what_is_there_and_removes_what_is_not(
    project: Project, backend: Backend
) -> None:
    await connect(backend, notion=[], slack=["chat:write"])
    project.write("slack", ["chat:write"], "json")
    ran = await project.run("push", "--yes", "--json")
    assert ran.code == 0, ran
    assert isinstance(ran.json, dict)
    done = {entry["type"]: entry["action"] for entry in ran.json["results"]}
    assert done == {"slack": "synced", "notion": "removed"}
    states = {entry.integration_type: entry.state for entry in await backend.vault.list(APP)}
    assert states == {"slack": "active", "notion": "disconnected"}


async def test_a_wrong_key_is_an_error_in_its_words(backend: Backend, tmp_path: Path) -> None:
    wrong = Project(tmp_path, backend.settings.server_url, APP, "b44k_wrong")
    ran = await wrong.run("list-available", "--json")
    assert ran.code == 1
    assert "Unauthorized" in ran.out + ran.err


@pytest.mark.parametrize(
    ("status", "shown"),
    [("ACTIVE", "authorization complete"), ("FAILED", "authorization failed")],
)
async def test_it_opens_a_browser_and_polls_until_there_is_an_end(
    status: str, shown: str, stubbed: Project, stub: Stub
) -> None:
    stub.answer = Answer({**AUTHORIZATION, "status": "PENDING"})
    arguments = ("initiate", "--integration-type", "slack", "--scopes", "chat:write")
    async with stubbed.terminal(*arguments) as terminal:
        await terminal.expect("Open browser to authorize now?")
        await terminal.type("\r")
        assert await terminal.opened() == CONSENT
        await terminal.expect("Waiting for slack authorization")
        stub.answer = Answer({**AUTHORIZATION, "status": status})
        await terminal.expect(shown)
        assert await terminal.ended() == 0
    begun, *polls = stub.take()
    assert begun.line == f"PUT /api/apps/{APP}/external-auth/integrations/slack HTTP/1.1"
    assert json.loads(begun.body) == {"scopes": ["chat:write"]}
    query = "integration_type=slack&connection_id=c-1"
    assert {poll.line for poll in polls} == {
        f"GET /api/apps/{APP}/external-auth/status?{query} HTTP/1.1"
    }


async def test_where_nobody_can_be_asked_it_prints_the_address_and_ends(
    stubbed: Project, stub: Stub
) -> None:
    stub.answer = Answer({**AUTHORIZATION, "status": "PENDING"})
    ran = await stubbed.run("initiate", "--integration-type", "slack", "--json")
    assert ran.code == 0
    assert ran.json == {
        "integrationType": "slack",
        "alreadyAuthorized": False,
        "redirectUrl": CONSENT,
        "connectionId": "c-1",
    }
    assert len(stub.take()) == 1


async def push(project: Project) -> dict[str, list[str]]:
    """Push where nobody can be asked, and say what was done to which types."""
    ran = await project.run("push", "--yes", "--json")
    assert ran.code == 0, ran
    assert isinstance(ran.json, dict)
    done: dict[str, list[str]] = {}
    for entry in ran.json["results"]:
        done.setdefault(entry["action"], []).append(entry["type"])
    return done


async def redirects(project: Project) -> dict[str, str]:
    """The addresses that a push prints for those who have to give their consent."""
    ran = await project.run("push", "--yes", "--json")
    assert isinstance(ran.json, dict)
    told = ran.json["results"]
    return {entry["type"]: entry["redirectUrl"] for entry in told if "redirectUrl" in entry}


async def test_what_was_pulled_is_pushed_without_any_change(linked: Project) -> None:
    pulled = await linked.run("pull", "--json")
    assert pulled.code == 0, pulled
    assert set(linked.files) == {f"{name}.jsonc" for name in integrations()}
    before = linked.files
    done = await push(linked)
    assert set(done["synced"]) == set(integrations())
    assert set(done) == {"synced"}
    again = await linked.run("pull", "--json")
    assert isinstance(again.json, dict)
    assert (again.json["written"], again.json["deleted"]) == ([], [])
    assert linked.files == before


async def test_files_that_are_new_changed_and_gone_are_pushed(
    linked: Project, sandbox: Backend
) -> None:
    await linked.run("pull")
    (linked.connectors / "notion.jsonc").unlink()
    linked.write("gitlab", ["read_user", "read_api"])
    done = await push(linked)
    assert (done["removed"], done["needs_oauth"]) == (["notion"], ["gitlab"])
    assert len(done["synced"]) == len(integrations()) - 2
    assert "notion" not in {row.integration_type for row in await active(sandbox)}

    # As long as nobody has consented, the account is what it was, and it is asked for again.
    linked.write("notion", [])
    consents = await redirects(linked)
    assert set(consents) == {"gitlab", "notion"}
    for url in consents.values():
        assert "is connected" in await decide(url)
    assert set((await push(linked))["synced"]) == set(integrations())
    (gitlab,) = [row for row in await active(sandbox) if row.integration_type == "gitlab"]
    assert set(gitlab.scopes) == {"read_user", "read_api"}


async def active(backend: Backend) -> list[ConnectionSummary]:
    return [row for row in await backend.vault.list(APP) if row.state == "active"]


@pytest.mark.parametrize(
    ("decision", "shown", "ends"),
    [
        ("allow", "authorization complete", "gitlab authorized"),
        ("deny", "authorization failed", "gitlab initialized"),
    ],
)
async def test_initiate_waits_for_what_a_person_decides(
    decision: str, shown: str, ends: str, linked: Project, sandbox: Backend
) -> None:
    await sandbox.vault.disconnect(Owner.app(APP, "gitlab"))
    arguments = ("initiate", "--integration-type", "gitlab", "--scopes", "read_user")
    async with linked.terminal(*arguments) as terminal:
        await terminal.expect("Open browser to authorize now?")
        await terminal.type("\r")
        url = await terminal.opened()
        await terminal.expect("Waiting for gitlab authorization")
        await decide(url, decision)
        await terminal.expect(shown)
        await terminal.expect(ends)
        assert await terminal.ended() == 0
    connected = {row.integration_type for row in await active(sandbox)}
    assert ("gitlab" in connected) == (decision == "allow")


async def test_a_push_opens_a_browser_and_waits(linked: Project, sandbox: Backend) -> None:
    await linked.run("pull")
    linked.write("gitlab", ["read_user", "read_api"])
    async with linked.terminal("push") as terminal:
        await terminal.expect("Are you sure")
        await terminal.type("y")
        await terminal.expect("Open browser to authorize now?")
        await terminal.type("\r")
        await decide(await terminal.opened())
        await terminal.expect("authorization complete")
        await terminal.expect("Added: gitlab")
        assert await terminal.ended() == 0


async def test_initiate_says_that_it_is_connected_already(linked: Project) -> None:
    arguments = ("initiate", "--integration-type", "notion", "--json")
    ran = await linked.run(*arguments)
    assert ran.code == 0, ran
    assert isinstance(ran.json, dict)
    assert (ran.json["alreadyAuthorized"], ran.json["redirectUrl"]) == (True, None)


async def test_a_type_that_nobody_has_registered_is_an_error_that_says_so(
    project: Project,
) -> None:
    ran = await project.run("initiate", "--integration-type", "gitlab", "--json")
    assert ran.code == 1
    assert "connectors configure gitlab" in ran.out
