"""Promises of what comes back: the answer, as it is, whole, and no larger than was asked for."""

import gzip
from typing import Final, get_args

import anyio

from transports._base import Request, Response, Source
from transports._errors import BodyTooLargeError
from transports.testing._handlers import Recorder, echo
from transports.testing._promise import Trial, outcome, promise

_LARGE: Final = b"x" * 100_000

_A_WHILE: Final = 0.02
"""Seconds that an answer takes."""

_TICK: Final = 0.005
"""Seconds by which two clocks may differ that an attempt is measured with."""


@promise(
    "An answer of any status comes back as it is",
    "Return every answer, whatever its status, with the fields and the body as they came.",
)
async def any_status(trial: Trial) -> None:
    """Answer with good and bad ones."""
    for status in (200, 201, 203, 206, 300, 400, 401, 404, 407, 418, 429, 500, 503, 599):
        answer = Response(status, {"X-A": "1"}, b"\x00body\xff")
        async with trial.serve(Recorder(answer)) as (transport, url):
            found = await outcome(transport, Request("GET", f"{url}/"))
        response = trial.expect_answer(found, status, answer.body)
        trial.expect(response.headers.get("x-a") == "1", "the field X-A: 1", response)


@promise(
    "Header fields that repeat come back one by one, in order",
    "Give Headers the pairs as they came: a mapping or a joined line loses some.",
)
async def repeated_fields(trial: Trial) -> None:
    """Answer with a name that comes more than once."""
    values = ("a=1; Path=/", "b=2, c", "a=1; Path=/")
    answer = Response(200, [("Set-Cookie", values[0]), *(("set-cookie", v) for v in values[1:])])
    async with trial.serve(Recorder(answer)) as (transport, url):
        found = await outcome(transport, Request("GET", f"{url}/"))
    came = trial.expect_answer(found).headers.get_all("SET-COOKIE")
    trial.expect(came == values, f"the fields {values}", came)


@promise(
    "An answer without a body is complete, and the next one is its own",
    "Wait for no body after HEAD, with 204 and with 304, whatever Content-Length says "
    "(RFC 9112, section 6.3).",
)
async def without_body(trial: Trial) -> None:
    """Answer so, twice over a connection."""
    length = {"etag": '"1"', "Content-Length": "1000"}
    for method, status, fields in (
        ("HEAD", 200, length),
        ("GET", 204, {"etag": '"1"'}),
        ("GET", 304, length),
    ):
        async with trial.serve(Recorder(Response(status, fields))) as (transport, url):
            for _ in range(2):
                found = await outcome(transport, Request(method, f"{url}/"))
                response = trial.expect_answer(found, status, b"")
                trial.expect(response.headers.get("etag") == '"1"', "the field ETag", response)


@promise(
    "A body as large as the cap is taken",
    "Refuse a body only when it has more than request.max_body bytes.",
)
async def takes_the_largest(trial: Trial) -> None:
    """Answer with as much as is accepted, and with nothing where nothing is."""
    for body in (_LARGE, b""):
        async with trial.serve(Recorder(Response(200, body=body))) as (transport, url):
            request = Request("GET", f"{url}/", max_body=len(body))
            trial.expect_answer(await outcome(transport, request), 200, body)


@promise(
    "A body larger than the cap is a BodyTooLargeError, and the transport still works",
    "Read a body in pieces, stop above request.max_body bytes, and close or drain the connection.",
)
async def refuses_a_larger(trial: Trial) -> None:
    """Answer with more than is accepted."""
    async with trial.serve(Recorder(Response(200, body=_LARGE))) as (transport, url):
        for cap in (0, len(_LARGE) - 1):
            found = await outcome(transport, Request("GET", f"{url}/", max_body=cap))
            error = trial.expect_error(found, BodyTooLargeError, maybe_sent=True)
            trial.expect(error.phase == "body", "the phase 'body'", error)
            trial.expect_answer(await outcome(transport, Request("GET", f"{url}/")), 200, _LARGE)


@promise(
    "A compressed body comes back decoded, and the cap is on what it becomes",
    "Decode the codings that you ask for in Accept-Encoding, and count decoded bytes: a small "
    "answer can become a very large one.",
)
async def decodes(trial: Trial) -> None:
    """Answer in gzip to who asks for it."""

    async def handler(request: Request) -> Response:
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(200, {"Content-Encoding": "gzip"}, gzip.compress(_LARGE))
        return Response(200, body=_LARGE)

    async with trial.serve(handler) as (transport, url):
        trial.expect_answer(await outcome(transport, Request("GET", f"{url}/")), 200, _LARGE)
        # More than comes over the wire, less than it becomes.
        request = Request("GET", f"{url}/", max_body=len(_LARGE) // 10)
        trial.expect_error(await outcome(transport, request), BodyTooLargeError)


@promise(
    "An answer says where it comes from and how long it took",
    "Set source to what this transport is, and elapsed to the seconds from the call of send() to "
    "the last byte, on the clock of anyio.current_time().",
)
async def says_its_source(trial: Trial) -> None:
    """Take some time to answer, and say otherwise."""

    async def handler(_: Request) -> Response:
        await anyio.sleep(_A_WHILE)
        return Response(200, elapsed=-1.0)

    async with trial.serve(handler) as (transport, url):
        began = anyio.current_time()
        response = trial.expect_answer(await outcome(transport, Request("GET", f"{url}/")))
        took = anyio.current_time() - began
    kept = _A_WHILE - _TICK <= response.elapsed <= took + _TICK
    trial.expect(kept, f"elapsed from {_A_WHILE} to {took:.4f}", response)
    trial.expect(response.source in get_args(Source), f"one of {get_args(Source)}", response.source)


@promise(
    "Requests at the same time get each its own answer",
    "Let no two requests share a connection at once, nor any state of yours.",
)
async def answers_to_each(trial: Trial) -> None:
    """Ask many things at once."""
    found: dict[str, Response | Exception] = {}

    async def ask(target: str) -> None:
        found[target] = await outcome(transport, Request("GET", target))

    async with trial.serve(echo) as (transport, url):
        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(ask, f"{url}/{number}")
        for target, answer in found.items():
            trial.expect_answer(answer, 200, target.encode())
