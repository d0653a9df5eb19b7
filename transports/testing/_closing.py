"""Promises of a transport's end: it comes once, at once, and is told to everybody."""

import anyio

from transports._base import Request
from transports._errors import TransportClosedError
from transports.testing._handlers import Recorder, Sending, Stuck
from transports.testing._promise import PATIENCE, Trial, outcome, promise


@promise(
    "Closed, it sends nothing more and says so",
    "Remember aclose(), also when send() was never called, and raise TransportClosedError with "
    "the phase 'pool' and maybe_sent=False before anything else.",
)
async def sends_nothing_when_closed(trial: Trial) -> None:
    """Close what was used, and what was not."""
    for used in (True, False):
        recorder = Recorder()
        async with trial.serve(recorder) as (transport, url):
            if used:
                trial.expect_answer(await outcome(transport, Request("GET", f"{url}/")))
            await trial.close(transport)
            before = len(recorder.requests)
            found = await outcome(transport, Request("GET", f"{url}/"))
            error = trial.expect_error(found, TransportClosedError, maybe_sent=False)
            trial.expect(error.phase == "pool", "the phase 'pool'", error)
            after = len(recorder.requests)
        trial.expect(after == before, "no request at the server", f"{after - before} of them")


@promise(
    "It can be closed again, at the same time, and when it was never used",
    "Make every aclose() but the first do nothing.",
)
async def closes_again(trial: Trial) -> None:
    """Close more than once."""
    for used in (True, False):
        async with trial.serve(Recorder()) as (transport, url):
            if used:
                trial.expect_answer(await outcome(transport, Request("GET", f"{url}/")))
            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(trial.close, transport)
            await trial.close(transport)


@promise(
    "Closing ends what is under way, with an error that says so",
    "Have aclose() cancel every send() that runs, each in a cancel scope of its own, and raise "
    "TransportClosedError where that scope was cancelled.",
)
async def ends_what_is_under_way(trial: Trial) -> None:
    """Close while one request is at the server, and another may wait for the connection."""
    stuck = Stuck()
    async with trial.serve(stuck) as (transport, url):
        urls = (f"{url}/1", f"{url}/2")
        sendings = [Sending(transport, Request("GET", one), stuck) for one in urls]
        async with anyio.create_task_group() as group:
            for sending in sendings:
                group.start_soon(sending.run)
            await stuck.asked.wait()
            with anyio.move_on_after(PATIENCE / 2):
                await trial.close(transport)
                for sending in sendings:
                    await sending.ended.wait()
            group.cancel_scope.cancel()
    for sending in sendings:
        maybe_sent = True if sending.request.url in stuck.urls else None
        trial.expect_error(sending.outcome, TransportClosedError, maybe_sent=maybe_sent)


@promise(
    "Closing in a cancelled scope closes all the same",
    "Note that it is closed before the first await of aclose(), and shield what has to be awaited.",
)
async def closes_when_cancelled(trial: Trial) -> None:
    """Close where nothing can be awaited."""
    recorder = Recorder()
    async with trial.serve(recorder) as (transport, url):
        trial.expect_answer(await outcome(transport, Request("GET", f"{url}/")))
        with anyio.CancelScope() as scope:
            scope.cancel()
            await trial.close(transport)
        found = await outcome(transport, Request("GET", f"{url}/"))
        trial.expect_error(found, TransportClosedError)
