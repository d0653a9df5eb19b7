"""Promises of silence: credentials are in what is sent and what is answered, and nowhere else."""

from typing import Final

import anyio

from transports._base import Request, Response, Transport
from transports._headers import Headers
from transports.testing._handlers import FAULTS, Faulty, Sending, Stuck
from transports.testing._leaks import SECRET, leak_in, logs
from transports.testing._promise import Trial, outcome, promise

_SOON: Final = 0.05


def _request(url: str, *, soon: bool = False, max_body: int = 100) -> Request:
    return Request(
        "POST",
        f"{url}?code={SECRET}",
        Headers({"Authorization": f"Bearer {SECRET}", "api_key": SECRET}),
        f"client_secret={SECRET}".encode(),
        deadline=anyio.current_time() + (_SOON if soon else 60),
        max_body=max_body,
    )


async def _telling(_: Request) -> Response:
    return Response(200, {"Set-Cookie": SECRET, "X-Token": SECRET}, SECRET.encode())


@promise(
    "No secret stands in a repr of the transport",
    "Write a __repr__ that says how the transport is, and nothing of its requests.",
)
async def shows_no_secret(trial: Trial) -> None:
    """Look at it before, while and after it sends."""
    stuck = Stuck()

    def look(transport: Transport) -> None:
        for text in (repr(transport), str(transport)):
            trial.expect(SECRET not in text, "a repr without the planted secret", text)

    async with trial.serve(stuck) as (transport, url):
        look(transport)
        sending = Sending(transport, _request(f"{url}/"), stuck)
        async with anyio.create_task_group() as group:
            group.start_soon(sending.run)
            await stuck.asked.wait()
            look(transport)
            group.cancel_scope.cancel()
        look(transport)
        await trial.close(transport)
        look(transport)


@promise(
    "No secret stands in an error, nor in a frame of its traceback",
    "Name the method and the URL without its query in errors, let no local hold a plain secret, "
    "and cut the traceback of what you translate: `raise ... from None` keeps the context, which "
    "is printed too, so raise after the except block.",
)
async def raises_no_secret(trial: Trial) -> None:
    """Let it fail in every way, and search what comes."""
    for how, error in (await _failures(trial)).items():
        leak = leak_in(error)
        trial.expect(leak is None, f"no planted secret in the error of {how}", f"it in {leak}")


@promise(
    "No secret stands in a log record",
    "Log nothing of a request but its method and its URL without the query, and see what your "
    "HTTP client logs at the level DEBUG.",
)
async def logs_no_secret(trial: Trial) -> None:
    """Let it succeed and fail, and read along."""
    with logs() as seen:
        async with trial.serve(_telling) as (transport, url):
            trial.expect_answer(await outcome(transport, _request(f"{url}/")))
        await _failures(trial)
    found = "; ".join(dict.fromkeys(seen.leaks))
    trial.expect(not found, "no planted secret in a log record", f"it in {found}")


async def _failures(trial: Trial) -> dict[str, Exception]:
    """What comes where no answer comes, by what was done."""
    found: dict[str, Response | Exception] = {}
    async with trial.serve(Faulty()) as (transport, url):
        for path in FAULTS:
            found[path] = await outcome(transport, _request(url + path))
        found["a body above the cap"] = await outcome(transport, _request(f"{url}/", max_body=0))
        await trial.close(transport)
        found["a closed transport"] = await outcome(transport, _request(f"{url}/"))
    async with trial.serve(Stuck()) as (transport, url):
        found["a deadline"] = await outcome(transport, _request(f"{url}/", soon=True))
        try:
            with anyio.fail_after(_SOON):
                await transport.send(_request(f"{url}/"))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is looked at.
            found["a cancellation that the caller makes a timeout of"] = error
    return {how: error for how, error in found.items() if isinstance(error, Exception)}
