"""All thirteen promises at once: callers come and go, fetches land, fail, nest and are cancelled.

The machine runs outside the event loop and steps it: each rule does one thing inside the loop,
lets everything settle, and compares. Its model is small, for it predicts only what is promised.
Which of several callers that leave together stays for the fetch to unwind is the loop's choice, so
there the model counts instead. Time stands still until a rule moves it.
"""

import asyncio
import math
from collections.abc import Callable
from contextlib import ExitStack
from contextvars import ContextVar
from enum import Enum
from functools import partial
from itertools import count
from typing import Any

import attrs
import hypothesis.strategies as st
import trio.testing
from anyio.from_thread import start_blocking_portal
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connectors._coalescer import (
    Coalescer,
    CoalescerClosedError,
    FetchCancelledError,
    ReentrantFetchError,
)
from tests.coalescer.support import Call, Fetch, settle

KEYS = st.sampled_from("abc")
ERRORS = st.sampled_from(
    [
        LookupError("lost"),
        FileNotFoundError(2, "no file", "name"),
        KeyboardInterrupt("stop"),
        ExceptionGroup("several", [ValueError("one"), TypeError("two")]),
    ]
)
who: ContextVar[str] = ContextVar("who", default="nobody")


class State(Enum):
    FLYING = "can be joined"
    LANDED = "has an outcome"
    DYING = "was cancelled, because everybody left or the coalescer was closed"


@attrs.define(eq=False)
class Flown:
    """A fetch that began."""

    key: str
    real: Fetch
    starter: str
    seen: str = "nothing yet"
    task: Any = None
    state: State = State.FLYING
    outcome: object = None
    callers: "list[Attempt]" = attrs.field(factory=list)
    nested: "Attempt | None" = None

    @property
    def active(self) -> "list[Attempt]":
        return [caller for caller in self.callers if not caller.cancelled]

    def waits_for(self, goal: "Flown") -> bool:
        if self is goal:
            return True
        inner = None if self.nested is None else self.nested.fetch
        return inner is not None and inner.waits_for(goal)

    @property
    def should_run(self) -> bool:
        """Whether the fetch, which began, is still being executed."""
        if self.state is not State.DYING:
            return self.state is State.FLYING
        nested_goes_on = self.nested is not None and not self.nested.real.ended
        return nested_goes_on or not self.real.may_unwind.is_set()


@attrs.define(eq=False)
class Attempt:
    """A call, from outside or from inside a fetch."""

    name: str
    real: Call
    fetch: Flown | None
    owner: Flown | None = None
    deadline: float = math.inf
    cancelled: bool = False
    context_at_the_end: str | None = None

    @property
    def outcome(self) -> object:
        if self.cancelled:
            return "cancelled"
        if self.fetch is None or self.fetch.state is State.DYING:
            return CoalescerClosedError()
        return self.fetch.outcome


class SteppedLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock is moved by hand."""

    now = 0.0

    def time(self) -> float:
        return self.now


class Machine(RuleBasedStateMachine):
    """What the promises say, beside what happens."""

    def __init__(self) -> None:
        super().__init__()
        self.names = map(str, count())
        self.now = 0.0
        self.closed = False
        self.fetches: list[Flown] = []
        self.calls: list[Attempt] = []
        self.closings: list[Any] = []
        self.unused: list[Fetch] = []
        self.coalescer = Coalescer[str, object]()
        self.stack = ExitStack()
        self.portal = self.stack.enter_context(self.open_portal())
        self.clock = self.portal.call(self.find_clock)

    # The event loop, which differs.

    def open_portal(self) -> Any:
        raise NotImplementedError

    async def find_clock(self) -> Any:
        raise NotImplementedError

    def move_clock(self, seconds: float) -> None:
        raise NotImplementedError

    def step(self, action: Callable[..., object], *args: object) -> None:
        """Do something in the loop, and let everything settle."""

        async def act() -> None:
            action(*args)
            await settle()

        self.portal.call(act)

    # The model.

    def flying(self, key: str | None = None) -> list[Flown]:
        return [
            fetch
            for fetch in self.fetches
            if fetch.state is State.FLYING and (key is None or fetch.key == key)
        ]

    def waiting(self) -> list[Attempt]:
        return [
            call for call in self.calls if not (call.owner or call.cancelled or call.real.ended)
        ]

    def admit(self, attempt: Attempt, key: str, real: Fetch) -> bool:
        """Join the fetch of this key or begin one, as the promises say; True if it began one."""
        self.calls.append(attempt)
        if self.closed or attempt.cancelled:
            return False
        joinable = self.flying(key)
        if not joinable:
            self.fetches.append(Flown(key, real, starter=attempt.name))
            joinable = self.fetches[-1:]
        [attempt.fetch] = joinable
        attempt.fetch.callers.append(attempt)
        return attempt.fetch.real is real

    def land(self, fetch: Flown, outcome: object) -> None:
        fetch.state, fetch.outcome = State.LANDED, outcome
        for caller in fetch.active:
            if caller.owner is not None:
                self.land(caller.owner, outcome)

    def leave(self, attempt: Attempt) -> None:
        attempt.cancelled = True
        if attempt.fetch is not None and not attempt.fetch.active:
            self.die(attempt.fetch)

    def die(self, fetch: Flown) -> None:
        if fetch.state is State.FLYING:
            fetch.state = State.DYING
            if fetch.nested is not None:
                self.leave(fetch.nested)

    # The real calls.

    async def fetching(self, real: Fetch) -> object:
        [flown] = [fetch for fetch in self.fetches if fetch.real is real]
        flown.seen = who.get()
        flown.task = self.current_task()
        who.set("the fetch")
        return await real()

    def current_task(self) -> Any:
        return None

    async def calling(self, attempt: Attempt, key: str, real: Fetch) -> None:
        who.set(attempt.name)
        if attempt.deadline < math.inf:
            attempt.real.scope.deadline = attempt.deadline
        await attempt.real.run(self.coalescer, key, partial(self.fetching, real))
        attempt.context_at_the_end = who.get()

    async def asking(self, attempt: Attempt, key: str, real: Fetch) -> object:
        who.set(attempt.name)
        try:
            return await self.coalescer.run(key, partial(self.fetching, real))
        finally:
            attempt.real.ended = True

    async def make(self, slow: bool) -> tuple[Call, Fetch]:  # noqa: FBT001 - goes through a portal.
        return Call(), Fetch(slow_to_unwind=slow, limit=math.inf)

    def come(self, key: str, real: Fetch, attempt: Attempt) -> None:
        if not self.admit(attempt, key, real):
            self.unused.append(real)
        self.portal.start_task_soon(self.calling, attempt, key, real)
        self.portal.call(settle)

    # What may happen.

    @rule(key=KEYS, slow=st.booleans(), patience=st.none() | st.integers(1, 20))
    def a_caller_comes(self, key: str, slow: bool, patience: int | None) -> None:  # noqa: FBT001
        call, real = self.portal.call(self.make, slow)
        attempt = Attempt(next(self.names), call, None)
        if patience is not None:
            attempt.deadline = self.now + patience
            # No two run out at the same moment.
            while attempt.deadline in {other.deadline for other in self.calls}:
                attempt.deadline += 1
        self.come(key, real, attempt)

    @rule(key=KEYS)
    def a_caller_comes_that_is_cancelled_already(self, key: str) -> None:
        call, real = self.portal.call(self.make, False)  # noqa: FBT003
        self.portal.call(call.cancel)
        self.come(key, real, Attempt(next(self.names), call, None, cancelled=True))

    @precondition(lambda self: self.waiting())
    @rule(data=st.data())
    def a_caller_is_cancelled(self, data: st.DataObject) -> None:
        attempt = data.draw(st.sampled_from(self.waiting()))
        self.leave(attempt)
        self.step(attempt.real.cancel)

    @precondition(lambda self: self.waiting())
    @rule(data=st.data())
    def all_callers_of_a_key_are_cancelled_at_once(self, data: st.DataObject) -> None:
        fetch = data.draw(st.sampled_from(self.waiting())).fetch
        leavers = [attempt for attempt in self.waiting() if attempt.fetch is fetch]
        for attempt in leavers:
            self.leave(attempt)

        def cancel_all() -> None:
            for attempt in leavers:
                attempt.real.cancel()

        self.step(cancel_all)

    @precondition(lambda self: any(call.deadline < math.inf for call in self.waiting()))
    @rule()
    def time_passes_until_somebodys_patience_ends(self) -> None:
        attempt = min(self.waiting(), key=lambda call: call.deadline)
        self.leave(attempt)
        seconds, self.now = attempt.deadline - self.now, attempt.deadline
        self.step(self.move_clock, seconds)

    def idle(self) -> list[Flown]:
        return [fetch for fetch in self.flying() if fetch.nested is None]

    @precondition(lambda self: self.idle())
    @rule(data=st.data())
    def a_fetch_lands(self, data: st.DataObject) -> None:
        fetch, value = data.draw(st.sampled_from(self.idle())), object()
        self.land(fetch, value)
        self.step(fetch.real.land, value)

    @precondition(lambda self: self.idle())
    @rule(data=st.data(), error=ERRORS)
    def a_fetch_fails(self, data: st.DataObject, error: BaseException) -> None:
        fetch = data.draw(st.sampled_from(self.idle()))
        self.land(fetch, error)
        self.step(fetch.real.fail, error)

    @precondition(lambda self: self.idle())
    @rule(data=st.data(), key=KEYS, slow=st.booleans())
    def a_fetch_asks_for_a_key(self, data: st.DataObject, key: str, slow: bool) -> None:  # noqa: FBT001
        owner = data.draw(st.sampled_from(self.idle()))
        call, real = self.portal.call(self.make, slow)
        if any(fetch.waits_for(owner) for fetch in self.flying(key)):
            attempt = Attempt("a circle", call, None, owner)
            self.unused.append(real)
            self.land(owner, ReentrantFetchError())
        else:
            attempt = owner.nested = Attempt(next(self.names), call, None, owner)
            if not self.admit(attempt, key, real):
                self.unused.append(real)
        self.step(owner.real.go_on, partial(self.asking, attempt, key, real))

    @precondition(lambda self: any(fetch.state is State.DYING for fetch in self.fetches))
    @rule(data=st.data())
    def a_dying_fetch_may_unwind(self, data: st.DataObject) -> None:
        dying = [fetch for fetch in self.fetches if fetch.state is State.DYING]
        self.step(data.draw(st.sampled_from(dying)).real.may_unwind.set)

    @precondition(lambda self: len(self.calls) > 5 and not len(self.closings) > 1)
    @rule()
    def it_is_closed(self) -> None:
        self.closed = True
        for fetch in self.flying():
            self.die(fetch)
        self.closings.append(self.portal.start_task_soon(self.coalescer.aclose))
        self.portal.call(settle)

    # What holds at every moment.

    @invariant()
    def the_registry_holds_what_can_be_joined(self) -> None:
        assert len(self.coalescer) == len(self.flying())
        assert len({fetch.key for fetch in self.flying()}) == len(self.flying())

    @invariant()
    def fetches_begin_once_and_run_as_long_as_they_should(self) -> None:
        for fetch in self.fetches:
            assert (fetch.real.started, fetch.real.running) == (1, fetch.should_run)
        assert not any(real.started for real in self.unused)

    @invariant()
    def callers_of_a_fetch_wait_as_long_as_they_should(self) -> None:
        for fetch in self.fetches:
            active = [call.real.ended for call in fetch.active]
            gone = [call.real.ended for call in fetch.callers if call.cancelled]
            assert set(active) <= {not fetch.should_run}
            # The last to leave, and only that one, stays until the fetch has unwound.
            stays = fetch.state is State.DYING and fetch.should_run and not active
            assert gone.count(False) == stays

    @invariant()
    def a_call_that_ended_has_its_outcome(self) -> None:
        errors: list[BaseException] = []
        for call in self.calls:
            if call.owner is None and call.real.ended:
                check_outcome(call.real, call.outcome)
                errors += [call.real.error] if call.real.error is not None else []
        assert len({id(error) for error in errors}) == len(errors)

    @invariant()
    def calls_that_began_nothing_ended_at_once(self) -> None:
        assert all(call.real.ended for call in self.calls if call.fetch is None)

    @invariant()
    def a_fetch_runs_in_a_copy_of_its_starters_context(self) -> None:
        assert all(fetch.seen == fetch.starter for fetch in self.fetches)
        ended = [call for call in self.calls if call.owner is None and call.real.ended]
        assert all(call.context_at_the_end == call.name for call in ended)

    @invariant()
    def closing_ends_when_the_last_fetch_has(self) -> None:
        assert all(
            closing.done() != any(fetch.should_run for fetch in self.fetches)
            for closing in self.closings
        )

    def teardown(self) -> None:
        def end_everything() -> None:
            for call in self.calls:
                call.real.cancel()
            for fetch in self.fetches:
                fetch.real.may_unwind.set()

        self.step(end_everything)
        with self.stack:
            assert all(call.real.ended for call in self.calls)
            assert not any(fetch.real.running for fetch in self.fetches)
            assert len(self.coalescer) == 0


def check_outcome(call: Call, expected: object) -> None:
    assert call.was_cancelled == (expected == "cancelled")
    if isinstance(expected, BaseException):
        assert type(call.error) is type(expected)
        assert call.error is not expected
        assert repr(call.error) == repr(expected)
    elif expected != "cancelled":
        assert call.value is expected


class OnAsyncio(Machine):
    def open_portal(self) -> Any:
        return start_blocking_portal("asyncio", {"loop_factory": SteppedLoop})

    async def find_clock(self) -> Any:
        return asyncio.get_running_loop()

    def move_clock(self, seconds: float) -> None:
        self.clock.now += seconds

    def current_task(self) -> Any:
        return asyncio.current_task()

    def frail(self) -> list[Flown]:
        return [fetch for fetch in self.idle() if fetch.real.may_unwind.is_set()]

    @precondition(lambda self: self.frail())
    @rule(data=st.data())
    def somebody_cancels_the_shared_task(self, data: st.DataObject) -> None:
        fetch = data.draw(st.sampled_from(self.frail()))
        self.land(fetch, FetchCancelledError())
        self.step(fetch.task.cancel)


class OnTrio(Machine):
    def open_portal(self) -> Any:
        self.mock_clock = trio.testing.MockClock()
        return start_blocking_portal("trio", {"clock": self.mock_clock})

    async def find_clock(self) -> Any:
        return self.mock_clock

    def move_clock(self, seconds: float) -> None:
        self.clock.jump(seconds)


settings.register_profile("machine", max_examples=80, stateful_step_count=40, deadline=None)
TestOnAsyncio = OnAsyncio.TestCase
TestOnAsyncio.settings = settings.get_profile("machine")
TestOnTrio = OnTrio.TestCase
TestOnTrio.settings = settings.get_profile("machine")
