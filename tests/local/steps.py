"""The steps of a refresh as tests take them, from what was consented to on."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from connectors.local._oauth import Tokens
from connectors.local._oauth_records import Revocation
from connectors.local._records import Grant, Presented, StoredConnection
from connectors.local._vault import Vault
from tests.local.vaults import OWNER
from transports import Secret

ACCESS: Final = "planted-access-token-5c1e"
REFRESH: Final = "planted-refresh-token-90ab"
RAW: Final = '{"access_token": "planted-raw-answer-d3d3"}'
VALUE: Final = "planted-config-value-77aa"
PLANTED: Final = (ACCESS, REFRESH, "planted-raw-answer-d3d3", VALUE)
SENT: Final = Presented("digest", 1000.0, "unanswered", 1, "attempt-1")


def consented(number: int = 1, **values: Any) -> Grant:
    known = {
        "connection_config": {"team": VALUE},
        "scopes": ("read",),
        "refresh_token": f"{REFRESH}-{number}",
        "obtained_at": 1000,
        "expires_at": 4600.0,
        "refresh_expires_at": 9000.0,
        "raw": Secret(RAW),
        "source": "oauth",
    }
    return Grant("slack", f"{ACCESS}-{number}", **{**known, **values})


def tokens(number: int = 2, **values: Any) -> Tokens:
    known = {
        "access_token": Secret(f"{ACCESS}-{number}"),
        "refresh_token": Secret(f"{REFRESH}-{number}"),
        "obtained_at": 5000.0,
        "expires_at": 8600.0,
        "refresh_expires_at": None,
        "scopes": None,
        "captured": {},
        "raw": Secret("{}"),
    }
    return Tokens(**{**known, **values})


async def due(vault: Vault, now: float = 4e9) -> list[Revocation]:
    """What the providers are to be told, by a time or ever."""
    jobs = [await vault.revocations.get(job) for job in await vault.revocations.due(now)]
    return [job for job in jobs if job is not None]


Step = Callable[[Vault, StoredConnection], Awaitable[object]]


def present(vault: Vault, seen: StoredConnection) -> Awaitable[object]:
    return vault.refreshes.present(seen, SENT)


def renew(vault: Vault, seen: StoredConnection) -> Awaitable[object]:
    return vault.refreshes.renew(seen, tokens(9))


def postpone(vault: Vault, seen: StoredConnection) -> Awaitable[object]:
    return vault.refreshes.postpone(
        seen, marker=None, failures=seen.failures + 1, next_attempt_at=2e9, last_error="busy"
    )


def fail(vault: Vault, seen: StoredConnection) -> Awaitable[object]:
    return vault.refreshes.fail(seen, "unknown", "odd")


def force(vault: Vault, seen: StoredConnection) -> Awaitable[object]:
    return vault.refreshes.force(seen, 3000.0)


def disconnect(vault: Vault, _: StoredConnection) -> Awaitable[object]:
    return vault.disconnect(OWNER)


def reconnect(vault: Vault, _: StoredConnection) -> Awaitable[object]:
    return vault.put(OWNER, consented(5))


STEPS: Final = [present, renew, postpone, fail, force]
