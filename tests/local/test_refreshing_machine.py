"""Whatever is done to a connection, in whatever order and by whoever saw it whenever.

The model is what a connection is to be like after each step, and when a step is taken at all. The
steps start from any earlier look at the connection, as those of slow or suspended processes do.
"""

import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import anyio
import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connectors.local._records import Presented, StoredConnection
from connectors.local._vault import Vault
from tests.local.steps import ACCESS, REFRESH, consented, tokens
from tests.local.vaults import OWNER
from transports import Secret

_T = TypeVar("_T")

LOOKS = st.integers(0, 3)


@attrs.frozen
class Row:
    """What the connection is to be like."""

    state: str = "none"
    generation: int = 0
    number: int | None = None
    config: str | None = None
    presented: Presented | None = None
    failures: int = 0
    strikes: int = 0
    forced_at: float | None = None

    def next(self, state: str, number: int | None, config: str | None) -> "Row":
        """The row in its next generation."""
        return Row(state, self.generation + 1, number, config)

    def renewed(self, number: int) -> "Row":
        """The row with tokens that have taken the place of its own."""
        return attrs.evolve(self.next("active", number, self.config), forced_at=self.forced_at)


class Machine(RuleBasedStateMachine):
    """A vault, next to what it is to hold."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "vault.db"
        self.vault = Vault(self.path)
        self.row = Row()
        self.looks: list[tuple[StoredConnection, Row]] = []
        self.number = 0

    def teardown(self) -> None:
        anyio.run(self.vault.aclose)
        self.folder.cleanup()

    def do(self, work: Callable[[], Awaitable[_T]]) -> _T:
        async def main() -> _T:
            return await work()

        return anyio.run(main)

    def fresh(self) -> int:
        self.number += 1
        return self.number

    def look(self, back: int) -> tuple[StoredConnection, Row]:
        return self.looks[max(0, len(self.looks) - 1 - back)]

    def stands(self, seen: Row, *fields: str) -> bool:
        """Is the connection in these fields what somebody saw?"""
        if self.row.state != "active":
            return False
        return all(
            getattr(self.row, field) == getattr(seen, field) for field in ("generation", *fields)
        )

    @rule(keeps_config=st.booleans())
    def put(self, *, keeps_config: bool) -> None:
        number = self.fresh()
        config = None if keeps_config else {"team": str(number)}
        self.do(lambda: self.vault.put(OWNER, consented(number, connection_config=config)))
        expected = self.row.config if keeps_config else str(number)
        self.row = self.row.next("active", number, expected)

    @rule()
    def disconnect(self) -> None:
        ended = self.do(lambda: self.vault.disconnect(OWNER))
        assert ended == (self.row.state in {"active", "refresh_failed"})
        if ended:
            self.row = self.row.next("disconnected", None, None)

    @precondition(lambda self: self.looks)
    @rule(back=LOOKS)
    def present(self, back: int) -> None:
        seen, then = self.look(back)
        mark = Presented("d", 1.0, "unanswered", 1, f"attempt-{self.fresh()}")
        done = self.do(lambda: self.vault.refreshes.present(seen, mark))
        assert done == self.stands(then, "failures", "presented")
        if done:
            self.row = attrs.evolve(self.row, presented=mark)

    @precondition(lambda self: self.looks)
    @rule(back=LOOKS)
    def renew(self, back: int) -> None:
        seen, then = self.look(back)
        number = self.fresh()
        done = self.do(lambda: self.vault.refreshes.renew(seen, tokens(number)))
        assert (done is not None) == self.stands(then)
        if done is not None:
            self.row = self.row.renewed(number)

    @precondition(lambda self: self.looks)
    @rule(back=LOOKS)
    def spool(self, back: int) -> None:
        seen, then = self.look(back)
        number = self.fresh()
        self.do(lambda: self.vault.refreshes.spool(seen, tokens(number)))
        if self.stands(then):
            self.row = self.row.renewed(number)

    @precondition(lambda self: self.looks)
    @rule(back=LOOKS, strike=st.booleans(), clear=st.booleans())
    def postpone(self, *, back: int, strike: bool, clear: bool) -> None:
        seen, then = self.look(back)
        mark = None if clear else seen.presented
        done = self.do(
            lambda: self.vault.refreshes.postpone(
                seen,
                marker=mark,
                failures=seen.failures + 1,
                next_attempt_at=float(seen.failures),
                last_error="busy",
                strike_at=1.0 if strike else None,
            )
        )
        assert done == self.stands(then, "failures", "strikes")
        if done:
            self.row = attrs.evolve(
                self.row,
                presented=mark,
                failures=then.failures + 1,
                strikes=then.strikes + strike,
            )

    @precondition(lambda self: self.looks)
    @rule(back=LOOKS)
    def fail(self, back: int) -> None:
        seen, then = self.look(back)
        done = self.do(lambda: self.vault.refreshes.fail(seen, "invalid_grant", "invalid_grant"))
        assert done == self.stands(then)
        if done:
            self.row = self.row.next("refresh_failed", None, self.row.config)

    @precondition(lambda self: self.looks)
    @rule(back=LOOKS)
    def force(self, back: int) -> None:
        seen, then = self.look(back)
        at = float(self.fresh())
        done = self.do(lambda: self.vault.refreshes.force(seen, at))
        assert done == self.stands(then, "forced_at")
        if done:
            self.row = attrs.evolve(self.row, forced_at=at)

    @rule()
    def open_again(self) -> None:
        anyio.run(self.vault.aclose)
        self.vault = Vault(self.path)

    @invariant()
    def is_as_it_is_to_be(self) -> None:
        found = self.do(lambda: self.vault.get(OWNER))
        states = [row.state for row in self.do(lambda: self.vault.list(OWNER.app_id))]
        assert states == ([] if self.row.state == "none" else [self.row.state])
        assert (found is None) == (self.row.state in {"none", "disconnected"})
        if found is None:
            return
        number = self.row.number
        assert found.access_token == (None if number is None else Secret(f"{ACCESS}-{number}"))
        assert found.refresh_token == (None if number is None else Secret(f"{REFRESH}-{number}"))
        config = None if self.row.config is None else {"team": self.row.config}
        assert found.connection_config == config
        assert found.generation == self.row.generation
        assert (found.reason is not None) == (found.state == "refresh_failed")
        marks = (found.presented, found.failures, found.strikes, found.forced_at)
        row = self.row
        assert marks == (row.presented, row.failures, row.strikes, row.forced_at)
        if not self.looks or self.looks[-1][0] != found:
            self.looks.append((found, self.row))


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
