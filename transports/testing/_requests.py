"""Promises of what reaches the server: this request, as it is, at most once."""

import socket
from typing import Final

from transports._base import Request, Response, Transport
from transports._errors import ConnectError
from transports._headers import Headers
from transports._secret import Secret
from transports.testing._handlers import FAULTS, Faulty, Recorder
from transports.testing._promise import Trial, outcome, promise

_PATHS: Final = (
    "/a%2Fb/..%2Fx?q=%252e",
    "/a/./b/../c//d;p=1?x=a+b&x=%20&y",
    "/%7Euser/~user/%c3%A9?a?b/c=[]",
)
"""What clients like to tidy up."""

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_NEEDED: Final = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "host", "transfer-encoding"}
)
"""What a client may add, to be understood."""


@promise(
    "A request arrives exactly as it is",
    "Send method, URL, header fields and body as they stand; quote, sort and tidy up nothing.",
)
async def arrives_as_it_is(trial: Trial) -> None:
    """Compare what came with what was sent."""
    recorder = Recorder()
    fields = Headers((("X-Key", Secret("abc")), ("X-None", ""), ("Accept", "text/x")))
    bodies = (None, b"", b"\x00\xff\r\n" * 5000)
    async with trial.serve(recorder) as (transport, url):
        for sent in (
            *(Request("GET", url + path, fields) for path in _PATHS),
            *(Request(method, f"{url}/", fields) for method in _METHODS),
            *(Request("POST", f"{url}/", fields, body) for body in bodies),
        ):
            came = await _arrived(trial, recorder, transport, sent)
            line, arrived = f"{sent.method} {sent.url}", f"{came.method} {came.url}"
            trial.expect(arrived == line, line, arrived)
            trial.expect((came.body or b"") == (sent.body or b""), "the body as it was sent", came)
            for name, value in fields.items():
                values = came.headers.get_all(name)
                trial.expect(values == (value,), f"the field {name}: {value}", values)


@promise(
    "Header fields that repeat arrive one by one, in order, however their names are written",
    "Hand your HTTP client the pairs as they are: a mapping or a joined line loses some, and some "
    "clients take names for others that differ in case.",
)
async def repeats_fields(trial: Trial) -> None:
    """Send a name that comes more than once."""
    for names in (("X-Two", "X-Two", "X-Two"), ("X-Two", "x-two", "X-TWO")):
        recorder = Recorder()
        pairs = tuple(zip(names, ("2", "1, 3", "2"), strict=True))
        async with trial.serve(recorder) as (transport, url):
            came = await _arrived(trial, recorder, transport, Request("GET", f"{url}/", pairs))
        values = came.headers.get_all("x-two")
        expected = tuple(value for _, value in pairs)
        trial.expect(values == expected, f"the values {expected} of {', '.join(names)}", values)


@promise(
    "Nothing is added to a request but what HTTP needs",
    "Switch off what your HTTP client adds by itself, as User-Agent or Content-Type.",
)
async def adds_nothing(trial: Trial) -> None:
    """Look at the names of the fields that came."""
    recorder = Recorder()
    async with trial.serve(recorder) as (transport, url):
        for method, body in (("GET", None), ("POST", b"data")):
            request = Request(method, f"{url}/", {"x-mine": "1"}, body)
            came = await _arrived(trial, recorder, transport, request)
            added = sorted(set(came.headers) - {"x-mine"} - _NEEDED)
            expected = f"no field but {', '.join(sorted(_NEEDED))}"
            trial.expect(not added, expected, ", ".join(added))


@promise(
    "No cookie is kept",
    "Give your HTTP client a jar that keeps none, or a client of its own to each request.",
)
async def keeps_no_cookie(trial: Trial) -> None:
    """Set one, and see if it comes back."""
    recorder = Recorder(Response(200, {"Set-Cookie": "session=1; Path=/"}))
    async with trial.serve(recorder) as (transport, url):
        # Some jars take no cookie of an address.
        for base in (url, url.replace("//127.0.0.1:", "//localhost:")):
            for _ in range(2):
                trial.expect_answer(await outcome(transport, Request("GET", f"{base}/")))
    cookies = [came.headers.get_all("cookie") for came in recorder.requests]
    trial.expect(not any(cookies), "no Cookie in any request", cookies)


@promise(
    "A redirect is an answer like any other",
    "Switch off in your HTTP client that redirects are followed.",
)
async def follows_no_redirect(trial: Trial) -> None:
    """Redirect, and see if somebody comes."""
    for status in (301, 302, 303, 307, 308):
        recorder = Recorder(Response(status, {"Location": "/other"}))
        async with trial.serve(recorder) as (transport, url):
            response = await outcome(transport, Request("GET", f"{url}/"))
        urls = [request.url for request in recorder.requests]
        trial.expect(urls == [f"{url}/"], f"one request after the status {status}", urls)
        location = trial.expect_answer(response, status).headers.get("location")
        trial.expect(location == "/other", "the Location as it was sent", location)


@promise(
    "One send is one attempt, whatever becomes of it",
    "Switch off in your HTTP client that it tries again, also after a broken connection that was "
    "open already, and also with idempotent methods: whoever calls send() decides that.",
)
async def tries_once(trial: Trial) -> None:
    """Break every connection, new and used, and count."""
    faulty = Faulty()
    async with trial.serve(faulty) as (transport, url):
        for method in _METHODS:
            for path in (*FAULTS, "/answered"):
                target = f"{url}{path}/{method}"
                await outcome(transport, Request(method, target))
                times = faulty.urls.count(target)
                trial.expect(times == 1, f"one request {method} {path}", f"{times} of them")
    busy = Recorder(Response(503, {"Retry-After": "0"}))
    async with trial.serve(busy) as (transport, url):
        await outcome(transport, Request("GET", f"{url}/"))
    times = len(busy.requests)
    trial.expect(times == 1, "one request that is answered with status 503", f"{times} of them")


@promise(
    "Where nobody listens, it says that nothing was sent",
    "Raise ConnectError with maybe_sent=False when no connection can be made: only then may any "
    "request be sent again.",
    needs_wire=True,
)
async def says_that_nobody_listens(trial: Trial) -> None:
    """Ask at a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    async with trial.serve(Recorder()) as (transport, _):
        found = await outcome(transport, Request("POST", f"http://127.0.0.1:{port}/", body=b"x"))
        error = trial.expect_error(found, ConnectError, maybe_sent=False)
        trial.expect(error.phase == "connect", "the phase 'connect'", error)


async def _arrived(
    trial: Trial, recorder: Recorder, transport: Transport, request: Request
) -> Request:
    recorder.requests.clear()
    trial.expect_answer(await outcome(transport, request))
    times = len(recorder.requests)
    trial.expect(times == 1, "one request at the server", f"{times} of them")
    return recorder.requests[0]
