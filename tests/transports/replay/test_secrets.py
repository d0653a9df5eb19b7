"""No secret is in a cassette, on the disk at any moment, in a message or in a repr.

Sixty tokens are planted: six kinds, each known only by the field in which it goes or comes, times
ten places where it stands besides, under names that say nothing.
"""

import base64
import json
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from urllib.parse import quote

import attrs
import pytest

from tests.hunting import in_base64, readings
from tests.loops import REAL, on
from tests.transports.replay.cassettes import URL
from transports import Request, Response
from transports.mock import MockTransport
from transports.replay import ReplayTransport, UnrecordedRequestError, UnusedInteractionError

FORM = "application/x-www-form-urlencoded"


@attrs.frozen
class Exchange:
    """A request and its answer, in parts that a plant adds to."""

    headers: Mapping[str, str] = attrs.field(factory=dict)
    query: str = ""
    form: str = ""
    answer: object = None
    answer_headers: Mapping[str, str] = attrs.field(factory=dict)
    status: int = 200


# Where each kind of secret is at home: it is known by nothing else.
HOMES: dict[str, Callable[[str], Exchange]] = {
    "service": lambda token: Exchange(headers={"Authorization": f"Bearer {token}"}),
    "user": lambda token: Exchange(headers={"on-behalf-of": f"Bearer {token}"}),
    "oauth": lambda token: Exchange(answer={"access_token": token, "token_type": "Bearer"}),
    "refresh": lambda token: Exchange(
        form=f"grant_type=refresh_token&refresh_token={quote(token)}"
    ),
    "client secret": lambda token: Exchange(
        headers={"Authorization": "Basic " + base64.b64encode(f"id:{token}".encode()).decode()}
    ),
    "api key": lambda token: Exchange(headers={"api_key": token}),
}


def halves(token: str) -> dict[str, str]:
    return {"first": token[: len(token) // 2], "second": token[len(token) // 2 :]}


# Where it stands besides.
PLACES: dict[str, Callable[[str], Exchange]] = {
    "header": lambda token: Exchange(headers={"X-Custom": token}, answer_headers={"ETag": token}),
    "query": lambda token: Exchange(query=f"a=1&session={quote(token)}"),
    "form": lambda token: Exchange(form=f"a=1&b={quote(token)}"),
    "deep JSON": lambda token: Exchange(answer={"a": [{"b": [[{"c": {token: token}}]]}]}),
    "JSON in a string": lambda token: Exchange(
        answer={"a": json.dumps({"b": json.dumps({"c": token, "access_token": token})})}
    ),
    "percent-encoded": lambda token: Exchange(
        query="next=" + quote(f"https://a.example/?b={quote(token, safe='')}", safe="")
    ),
    "base64": lambda token: Exchange(
        answer={"a": base64.b64encode(f"user:{token}".encode()).decode()}
    ),
    "split over two fields": lambda token: Exchange(answer=halves(token)),
    "header names in other letters": lambda token: Exchange(
        headers={"AUTHORIZATION": f"bearer {token}", "x-API-key": token},
        answer_headers={"SET-cookie": f"a={token}; Path=/", "LOCATION": f"/?token={quote(token)}"},
    ),
    "an error text": lambda token: Exchange(
        answer=f"<h1>Invalid token '{token}' (Bearer {token})</h1>", status=401
    ),
}

PLANTS = [(kind, place) for kind in HOMES for place in PLACES]


def planted() -> dict[tuple[str, str], str]:
    """Tokens whose shape says nothing; some have letters that every encoding changes."""
    return {plant: f"t{token_hex(10)}+/~{token_hex(3)}" for plant in PLANTS}


def request(exchange: Exchange, name: str) -> Request:
    url = f"{URL}/{name}" + (f"?{exchange.query}" if exchange.query else "")
    if not exchange.form:
        return Request("GET", url, exchange.headers)
    headers = {**exchange.headers, "Content-Type": FORM}
    return Request("POST", url, headers, exchange.form.encode())


def response(exchange: Exchange) -> Response:
    answer = exchange.answer
    text = answer if isinstance(answer, str) else json.dumps(answer)
    kind = "text/html" if isinstance(answer, str) else "application/json"
    headers = {**exchange.answer_headers, "Content-Type": kind}
    return Response(exchange.status, headers, text.encode())


def exchanges(tokens: Mapping[tuple[str, str], str], *, home_first: bool) -> dict[str, Exchange]:
    """By the names of their paths, all that is sent; every secret goes home, first or last."""
    homes = {f"home{n}": HOMES[kind](token) for n, ((kind, _), token) in enumerate(tokens.items())}
    places = {
        f"place{n}": PLACES[place](token) for n, ((_, place), token) in enumerate(tokens.items())
    }
    return {**homes, **places} if home_first else {**places, **homes}


def all_readings(text: str) -> list[str]:
    plain = readings(text)
    return [*plain, *(decoded for one in plain for decoded in in_base64(one))]


def seen(texts: list[str], token: str) -> bool:
    """Does a text hold a token, all but its ends, or half of it?"""
    parts = token[2:-2], *halves(token).values()
    return any(part in text for text in texts for part in parts)


_written: list[bytes] | None = None


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event == "os.rename" and _written is not None:
        _written.append(Path(str(arguments[0])).read_bytes())


sys.addaudithook(_watch)


@contextmanager
def everything_written() -> Iterator[list[bytes]]:
    """What every file held the moment before it took its place."""
    global _written  # noqa: PLW0603 - an audit hook can't be taken away.
    _written = []
    try:
        yield _written
    finally:
        _written = None


@on(REAL[:1])
@pytest.mark.parametrize("home_first", [True, False], ids=["known before", "known after"])
async def test_none_of_sixty_planted_tokens_is_found_anywhere(
    tmp_path: Path, *, home_first: bool
) -> None:
    tokens = planted()
    assert len(tokens) == 60
    sent = exchanges(tokens, home_first=home_first)
    path = tmp_path / "a.json"
    told: list[str] = []

    with everything_written() as written:
        inner = MockTransport(lambda asked: response(sent[_name(asked)]))
        async with ReplayTransport(path, "all", inner) as transport:
            for name, exchange in sent.items():
                answer = await transport.send(request(exchange, name))
                # Who records gets what the service answers.
                assert answer.body == response(exchange).body
            told.append(repr(transport) + repr(vars(transport)))
    assert len(written) == 1

    async with ReplayTransport(path, allow_unused=True) as transport:
        for name, exchange in list(sent.items())[::2]:
            await transport.send(request(exchange, name))
    with pytest.raises(UnusedInteractionError) as unused:
        transport.assert_all_played()
    told.append(_with_locals(unused.value))
    transport = ReplayTransport(path)
    for name, exchange in sent.items():
        with pytest.raises(UnrecordedRequestError) as unmatched:
            await transport.send(request(exchange, f"another-{name}"))
        told.append(_with_locals(unmatched.value))
    told += transport.unrecorded

    files = [one.read_text() for one in tmp_path.rglob("*") if one.is_file()]
    for text in (*files, *(raw.decode() for raw in written)):
        texts = all_readings(text)
        assert not [plant for plant, token in tokens.items() if seen(texts, token)]
    for text in told:
        assert not [plant for plant, token in tokens.items() if token in text]


def _name(asked: Request) -> str:
    return asked.url.removeprefix(f"{URL}/").partition("?")[0]


def _with_locals(error: BaseException) -> str:
    lines = traceback.TracebackException.from_exception(error, capture_locals=True).format()
    ours = str(Path(__file__))
    # The frames of this test hold what it plants.
    return "".join(line for line in lines if ours not in line)


def test_the_search_of_this_test_finds_what_is_planted() -> None:
    tokens = planted()
    for exchange, token in zip(
        exchanges(tokens, home_first=False).values(), tokens.values(), strict=False
    ):
        text = f"{attrs.asdict(exchange)}{json.dumps(attrs.asdict(exchange))}"
        assert seen(all_readings(text), token)
