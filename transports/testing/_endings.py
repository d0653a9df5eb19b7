"""Promises of how a `send` ends that gets no answer: cancelled, at its deadline, in an error."""

from typing import Final

import anyio

from transports._base import Request, Transport
from transports._errors import TransportTimeoutError
from transports.testing._handlers import FAULTS, Faulty, Sending, Stuck
from transports.testing._promise import Trial, outcome, promise

_PROMPTLY: Final = 0.05
"""Seconds in which a cancelled `send` has ended."""

_TRIES: Final = 3
"""How often a `send` may be late in that: a busy machine is so once, not always."""

_SOON: Final = 0.25
"""Seconds to the deadlines here."""

_LATE: Final = 1.0
"""Seconds after a deadline that no busy machine needs to notice it."""


@promise(
    "Cancelled, send ends within 50 ms and its connection is free again",
    "Let the cancellation through, and on its way close the connection, or drop it from the pool.",
)
async def ends_cancelled(trial: Trial) -> None:
    """Cancel what waits for an answer, then see if there is still a connection."""
    stuck = Stuck()
    delays: list[float] = []
    async with trial.serve(stuck) as (transport, url):
        for _ in range(_TRIES):
            stuck.asked = anyio.Event()
            sending = Sending(transport, Request("GET", f"{url}/"), stuck)
            async with anyio.create_task_group() as group:
                group.start_soon(sending.run)
                await stuck.asked.wait()
                cancelled_at = anyio.current_time()
                group.cancel_scope.cancel()
            trial.expect(
                sending.outcome is None, "the cancellation to come out of send()", sending.outcome
            )
            delays.append(sending.ended_at - cancelled_at)
        shortest = min(delays)
        trial.expect(shortest < _PROMPTLY, "send() to end within 50 ms", f"{shortest:.3f} s")
        await _expect_a_free_connection(trial, transport, url)


@promise(
    "At its deadline, send ends with a timeout that names the phase",
    "Put send() under request.deadline, a time of anyio.current_time(): `within_deadline` of "
    "transports does it. A request that is out has the phase 'headers' and maybe_sent=True.",
)
async def ends_at_its_deadline(trial: Trial) -> None:
    """Never answer."""
    async with trial.serve(Stuck()) as (transport, url):
        await _expect_a_free_connection(trial, transport, url)  # It is there, then.
        deadline = anyio.current_time() + _SOON
        found = await outcome(transport, Request("GET", f"{url}/", deadline=deadline))
        late = anyio.current_time() - deadline
        error = trial.expect_error(found, TransportTimeoutError, maybe_sent=True)
        trial.expect(error.phase == "headers", "the phase 'headers'", error)
        trial.expect(0 <= late < _LATE, "it at the deadline", f"it {late:.3f} s after it")
        await _expect_a_free_connection(trial, transport, url)


@promise(
    "After its deadline nothing is sent",
    "Look at request.deadline before anything else, and raise a timeout with maybe_sent=False.",
)
async def sends_nothing_after_its_deadline(trial: Trial) -> None:
    """Send what is late already."""
    stuck = Stuck()
    async with trial.serve(stuck) as (transport, url):
        request = Request("GET", f"{url}/", deadline=anyio.current_time() - 1)
        found = await outcome(transport, request)
        trial.expect_error(found, TransportTimeoutError, maybe_sent=False)
        await _expect_a_free_connection(trial, transport, url)
    trial.expect(not stuck.urls, "no request at the server", stuck.urls)


@promise(
    "Nothing but its own errors comes out, and they say how far it came",
    "Translate every exception once, the most specific first: a broken connection is a "
    "DisconnectedError, what cannot be read a ProtocolError, both with the phase and with "
    "maybe_sent=True once the request may have left.",
)
async def raises_its_own_errors(trial: Trial) -> None:
    """Break off in every way."""
    async with trial.serve(Faulty()) as (transport, url):
        for path, (kind, phase) in FAULTS.items():
            found = await outcome(transport, Request("POST", f"{url}{path}?q=1", body=b"x"))
            error = trial.expect_error(found, kind, maybe_sent=True)
            trial.expect(error.phase == phase, f"the phase {phase!r}", error)
            of_it = (error.method, error.url)
            expected = ("POST", f"{url}{path}")
            trial.expect(of_it == expected, f"an error of {expected}", f"one of {of_it}")
        trial.expect_answer(await outcome(transport, Request("GET", f"{url}/")), 200, b"ok")


async def _expect_a_free_connection(trial: Trial, transport: Transport, url: str) -> None:
    found = await outcome(transport, Request("GET", f"{url}/quick"))
    trial.expect_answer(found, 200, b"quick")
