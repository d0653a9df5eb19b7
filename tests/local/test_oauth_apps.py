"""One registration for each type: kept, replaced, rejected by its provider, removed."""

from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from connectors.local._errors import VaultDamagedError
from connectors.local._oauth import OAuthClient
from connectors.local._oauth_records import OAuthApp
from connectors.local._vault import Vault
from tests.local.vaults import (
    CONFIG_VALUE,
    KEY,
    OTHER_KEY,
    database,
    everything_in,
    printed_with_locals,
)
from tests.loops import REAL, on
from transports import Secret

pytestmark = on(REAL)

SECRET: Final = "planted-client-secret-3b1d"
CONFIG: Final = {"tenant": CONFIG_VALUE}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "vault.db"


def app(client_id: str = "client-1", secret: str | None = SECRET, **values: Any) -> OAuthApp:
    client = OAuthClient(client_id, None if secret is None else Secret(secret))
    known = {
        "redirect_uri": "https://a.example/back",
        "scopes": ["read"],
        "config": CONFIG,
        "connectors": ["c-1", "c-2"],
    }
    return OAuthApp("slack", client, **{**known, **values})


async def test_an_app_comes_back_as_it_was_configured(path: Path) -> None:
    async with Vault(path) as vault:
        put = await vault.apps.configure(app())
        (listed,) = await vault.apps.list()
        assert await vault.apps.get("gmail") is None
    async with Vault(path) as again:
        assert await again.apps.get("slack") == put
    assert put.client == OAuthClient("client-1", Secret(SECRET))
    assert (put.redirect_uri, put.scopes, put.config) == (
        "https://a.example/back",
        ("read",),
        CONFIG,
    )
    assert put.connectors == ("c-1", "c-2")
    assert (put.generation, put.problem, put.retry_at, put.failures) == (1, None, None, 0)
    for field in attrs.fields(type(listed)):
        assert getattr(listed, field.name) == getattr(put, field.name)


async def test_an_app_may_have_no_secret_no_address_and_no_values(path: Path) -> None:
    async with Vault(path) as vault:
        bare = OAuthApp("slack", OAuthClient("client-1"))
        put = await vault.apps.configure(bare)
        assert await vault.apps.get("slack") == put
    assert (put.client.client_secret, put.redirect_uri, put.config) == (None, None, None)
    assert (put.scopes, put.connectors) == ((), ())


async def test_apps_are_listed_by_type_and_no_secret_is_opened(path: Path) -> None:
    async with Vault(path) as vault:
        for name in ("slack", "gmail"):
            await vault.apps.configure(attrs.evolve(app(), integration_type=name))
        with database(path) as other:
            other.execute("UPDATE oauth_apps SET secret_ct = 'x'")
        assert [app.integration_type for app in await vault.apps.list()] == ["gmail", "slack"]


async def test_a_new_configuration_replaces_the_old_one_and_erases_it(path: Path) -> None:
    async with Vault(path) as vault:
        first = await vault.apps.configure(app())
        sealed = sealed_values(path)
        second = await vault.apps.configure(app("client-2", "other", config=None))
        assert await vault.apps.get("slack") == second
        left = everything_in(path.parent)
    assert (second.client.client_id, second.config, second.generation) == ("client-2", None, 2)
    assert first.created_at == second.created_at < second.updated_at
    assert len(sealed) == 2
    assert not any(value in left for value in sealed)


async def test_a_removed_app_is_erased(path: Path) -> None:
    async with Vault(path) as vault:
        await vault.apps.configure(app())
        sealed = sealed_values(path)
        assert await vault.apps.remove("slack")
        assert not await vault.apps.remove("slack")
        assert await vault.apps.get("slack") is None
        left = everything_in(path.parent)
    assert not any(value in left for value in (*sealed, b"client-1"))


def sealed_values(path: Path) -> list[bytes]:
    with database(path) as other:
        rows = other.execute("SELECT secret_ct, config_ct FROM oauth_apps")
        return [value.encode() for row in rows for value in row]


async def test_a_rejected_app_stays_rejected_until_it_is_configured_or_taken(path: Path) -> None:
    async with Vault(path) as vault:
        put = await vault.apps.configure(app())
        assert await vault.apps.reject(put, problem="invalid_client", at=10, retry_at=20)
        once = await vault.apps.get("slack")
        assert once is not None
        assert once == attrs.evolve(
            put, problem="invalid_client", rejected_at=10.0, retry_at=20.0, failures=1
        )
        assert await vault.apps.reject(once, problem="again", at=30.0, retry_at=60.0)
        twice = await vault.apps.get("slack")
        assert twice is not None
        assert (twice.failures, twice.problem) == (2, "again")
        assert await vault.apps.accept(twice)
        assert await vault.apps.get("slack") == put
        assert await vault.apps.reject(put, problem="invalid_client", at=10.0, retry_at=20.0)
        assert (await vault.apps.configure(app())).problem is None


async def test_of_several_who_are_rejected_at_once_one_counts(path: Path) -> None:
    async with Vault(path) as vault:
        put = await vault.apps.configure(app())
        assert await vault.apps.reject(put, problem="invalid_client", at=10.0, retry_at=20.0)
        assert not await vault.apps.reject(put, problem="invalid_client", at=11.0, retry_at=21.0)
        assert not await vault.apps.accept(put)
        found = await vault.apps.get("slack")
    assert found is not None
    assert (found.failures, found.retry_at) == (1, 20.0)


@pytest.mark.parametrize("client_id", ["client-1", "client-2"])
@pytest.mark.parametrize("between", ["nothing", "removed"])
async def test_a_rejection_of_the_old_configuration_does_not_touch_the_new_one(
    path: Path, client_id: str, between: str
) -> None:
    async with Vault(path) as vault:
        old = await vault.apps.configure(app())
        if between == "removed":
            await vault.apps.remove("slack")
        new = await vault.apps.configure(app(client_id, "right"))
        assert not await vault.apps.reject(old, problem="invalid_client", at=1.0, retry_at=2.0)
        assert await vault.apps.get("slack") == new


SWAPS: Final = {
    "another field": "UPDATE oauth_apps SET secret_ct = config_ct",
    "nothing": "UPDATE oauth_apps SET secret_ct = ''",
    "another client": "UPDATE oauth_apps SET client_id = 'client-2'",
    "another address": "UPDATE oauth_apps SET redirect_uri = 'https://evil.example'",
    "no address": "UPDATE oauth_apps SET redirect_uri = NULL",
    "another type": "UPDATE oauth_apps SET integration_type = 'gmail'",
    "an earlier generation": "UPDATE oauth_apps SET generation = generation + 1",
    "a damaged row": "UPDATE oauth_apps SET scopes = '[5]'",
    "a damaged list": "UPDATE oauth_apps SET connectors = '[\"\"]'",
    "a value that is no client": "UPDATE oauth_apps SET scopes = 'no json'",
}


@pytest.mark.parametrize("swap", SWAPS.values(), ids=SWAPS)
async def test_an_app_that_was_edited_is_refused(path: Path, swap: str) -> None:
    async with Vault(path) as vault:
        await vault.apps.configure(app())
        with database(path) as other:
            other.execute(swap)
            (name,) = other.execute("SELECT integration_type FROM oauth_apps").fetchone()
        with pytest.raises(VaultDamagedError, match=f"app {name}") as caught:
            await vault.apps.get(name)
    for planted in (SECRET, CONFIG_VALUE):
        assert planted not in printed_with_locals(caught.value)


async def test_a_damaged_app_is_not_listed(path: Path) -> None:
    async with Vault(path) as vault:
        await vault.apps.configure(app())
        with database(path) as other:
            other.execute("UPDATE oauth_apps SET scopes = '[5]'")
        with pytest.raises(VaultDamagedError, match="app slack"):
            await vault.apps.list()


@pytest.mark.parametrize("between", ["nothing", "removed"])
async def test_a_secret_that_was_replaced_and_is_put_back_is_refused(
    path: Path, between: str
) -> None:
    async with Vault(path) as vault:
        await vault.apps.configure(app())
        with database(path) as other:
            (old,) = other.execute("SELECT secret_ct FROM oauth_apps").fetchone()
            if between == "removed":
                await vault.apps.remove("slack")
            await vault.apps.configure(app(secret="new"))
            other.execute("UPDATE oauth_apps SET secret_ct = ?", (old,))
        with pytest.raises(VaultDamagedError, match="secret_ct of app slack"):
            await vault.apps.get("slack")


async def test_an_apps_secrets_are_in_no_file_and_no_repr(path: Path) -> None:
    async with Vault(path) as vault:
        shown = [app(), await vault.apps.configure(app()), await vault.apps.list()]
        left = everything_in(path.parent)
    for planted in (SECRET, CONFIG_VALUE):
        assert planted not in repr(shown)
        assert planted.encode() not in left


@pytest.mark.parametrize(
    "values",
    [
        {"config": [CONFIG_VALUE]},
        {"config": {"a": 5, "b": CONFIG_VALUE}},
        {"scopes": "read"},
        {"scopes": [""]},
        {"connectors": "c-1"},
        {"connectors": ["a\nb"]},
        {"redirect_uri": ""},
    ],
    ids=repr,
)
async def test_an_app_that_cannot_be_is_refused_without_showing_secrets(
    values: dict[str, Any],
) -> None:
    client = OAuthClient("client-1", Secret(SECRET))
    with pytest.raises((TypeError, ValueError)) as caught:
        OAuthApp("slack", client, **{"config": CONFIG, **values})
    for planted in (SECRET, CONFIG_VALUE):
        assert planted not in printed_with_locals(caught.value)


async def test_a_client_is_needed() -> None:
    with pytest.raises(TypeError, match="client"):
        OAuthApp("slack", "client-1")  # type: ignore[arg-type]


async def test_what_is_no_text_and_no_time_is_refused(path: Path) -> None:
    async with Vault(path) as vault:
        put = await vault.apps.configure(app())
        with pytest.raises(ValueError, match="problem"):
            await vault.apps.reject(put, problem="", at=1.0, retry_at=2.0)
        with pytest.raises(TypeError, match="at must be"):
            await vault.apps.reject(put, problem="p", at="1", retry_at=2.0)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="retry_at"):
            await vault.apps.reject(put, problem="p", at=1.0, retry_at=float("nan"))
        for use in (vault.apps.get, vault.apps.remove):
            with pytest.raises(ValueError, match="integration_type"):
                await use("")
        assert await vault.apps.get("slack") == put


async def test_an_app_is_resealed(path: Path) -> None:
    async with Vault(path, key=KEY) as vault:
        put = await vault.apps.configure(app())
        old = sealed_values(path)
    async with Vault(path, key=f"{OTHER_KEY},{KEY}") as vault:
        await vault.reseal()
        assert not any(value in everything_in(path.parent) for value in old)
    async with Vault(path, key=OTHER_KEY) as vault:
        assert await vault.apps.get("slack") == put
