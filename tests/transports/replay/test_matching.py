"""Which recorded request a request is, and what is said of one that is none."""

from collections.abc import Collection
from pathlib import Path

import pytest

from tests.loops import REAL, on
from tests.transports.replay.cassettes import URL, get, play, post, record
from transports import Request, Response
from transports.mock import json_response
from transports.replay import Part, ReplayTransport, UnrecordedRequestError
from transports.replay._matching import fits

pytestmark = on(REAL[:1])

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.json"


SAME = {
    "itself": (get("/a?b=1&c=2"), get("/a?b=1&c=2")),
    "another order of the query": (get("/a?b=1&c=2"), get("/a?c=2&b=1")),
    "no path": (Request("GET", URL), Request("GET", f"{URL}/")),
    "the default port": (Request("GET", f"{URL}:443/a"), Request("GET", f"{URL}/a")),
    "the host in capitals": (get(), Request("GET", "https://SERVICE.example/a")),
    "JSON with other spaces": (post("/a", '{"a": 1, "b": []}'), post("/a", '{"b":[],"a":1}')),
    "a form in another order": (post("/a", "a=1&b=2", FORM), post("/a", "b=2&a=1", FORM)),
    "another header": (get(headers={"accept": "a/b"}), get(headers={"accept": "c/d"})),
    "another token": (
        get(headers={"authorization": "Bearer one"}),
        get(headers={"authorization": "Bearer another"}),
    ),
    "another secret in the query": (get("/a?access_token=x1"), get("/a?access_token=y2")),
    "another secret in a form": (
        post("/a", "client_secret=a", FORM),
        post("/a", "client_secret=bb", FORM),
    ),
    "another secret in JSON": (post("/a", '{"password": "a"}'), post("/a", '{"password": "b"}')),
}
OTHERS = {
    "method": (get(), Request("HEAD", f"{URL}/a")),
    "server": (get(), Request("GET", "https://service.example:8443/a")),
    "path": (get("/a"), get("/A")),
    "path, encoded": (get("/a%2Fb"), get("/a/b")),
    "query": (get("/a?b=1"), get("/a?b=2")),
    "query, empty": (get("/a?b="), get("/a?c=")),
    "query, encoded": (get("/a?b=1%26c%3D2"), get("/a?b=1&c=2")),
    "query, twice": (get("/a?b=1"), get("/a?b=1&b=1")),
    "query that only may be a secret": (get("/a?state=open"), get("/a?state=all")),
    "body, JSON": (post("/a", '{"a": 1}'), post("/a", '{"a": 2}')),
    "body, form": (post("/a", "a=1&a=2", FORM), post("/a", "a=2&a=1", FORM)),
    "body, text": (post("/a", "a", "text/plain"), post("/a", "b", "text/plain")),
    "body, none": (post("/a", "a"), Request("POST", f"{URL}/a")),
    "body, bytes": (
        Request("PUT", f"{URL}/a", {}, b"\xff\x00"),
        Request("PUT", f"{URL}/a", {}, b"\xff\x01"),
    ),
}


@pytest.mark.parametrize(("recorded", "sent"), SAME.values(), ids=SAME)
async def test_a_request_is_the_same_with(path: Path, recorded: Request, sent: Request) -> None:
    await record(path, [recorded])
    assert await play(ReplayTransport(path), sent) == ["0"]
    await record(path, [sent])
    assert await play(ReplayTransport(path), recorded) == ["0"]


@pytest.mark.parametrize(
    ("part", "recorded", "sent"),
    [(name.replace(",", " ").split()[0], *pair) for name, pair in OTHERS.items()],
    ids=OTHERS,
)
async def test_a_request_is_another_with_another(
    path: Path, part: str, recorded: Request, sent: Request
) -> None:
    await record(path, [recorded])
    with pytest.raises(UnrecordedRequestError, match=f"\n        {part}: recorded .*, sent "):
        await ReplayTransport(path).send(sent)


@pytest.mark.parametrize(
    ("left_out", "sent"),
    [
        ("method", Request("HEAD", f"{URL}/a?b=1")),
        ("server", Request("GET", "http://127.0.0.1:8044/a?b=1")),
        ("path", get("/other?b=1")),
        ("query", get("/a?b=2")),
        ("body", Request("GET", f"{URL}/a?b=1", {}, b"x")),
    ],
)
async def test_a_part_that_is_left_out_does_not_count(
    path: Path, left_out: Part, sent: Request
) -> None:
    parts: set[Part] = {"method", "server", "path", "query", "body"}
    await record(path, [get("/a?b=1")])
    assert await play(ReplayTransport(path, match_on=parts - {left_out}), sent) == ["0"]


@pytest.mark.parametrize(
    ("match_on", "kind"),
    [((), ValueError), ({"host"}, ValueError), ("method", TypeError), ({"path", 1}, ValueError)],
)
async def test_parts_that_are_none_are_refused(
    path: Path, match_on: Collection[Part], kind: type[Exception]
) -> None:
    with pytest.raises(kind, match="match_on"):
        ReplayTransport(path, match_on=match_on)


async def test_a_page_that_an_answer_pointed_to_is_the_one_that_comes(path: Path) -> None:
    def pages(request: Request) -> Response:
        number = int(request.url.partition("pageToken=next-page-000")[2] or 0)
        return json_response({"page": number, "nextPageToken": f"next-page-000{number + 1}"})

    tokens = [f"next-page-000{number}" for number in range(1, 4)]
    requests = [get("/a"), *(get(f"/a?pageToken={token}") for token in tokens)]
    await record(path, requests, pages)
    transport = ReplayTransport(path)
    first = (await transport.send(get("/a"))).body.decode()
    pointed = first.partition('nextPageToken":"')[2].rstrip('"}')
    assert pointed.startswith("SCRUBBED-")
    # Somebody else has asked for a page before, with a token that nobody knows.
    assert '"page":1' in (await play(transport, get(f"/a?pageToken={pointed}")))[0]
    assert '"page":2' in (await play(transport, get("/a?pageToken=whatever")))[0]


async def test_what_shows_itself_as_a_secret_later_is_anything_in_a_test(path: Path) -> None:
    asked = [get("/users/u-81724617/files"), get(headers={"authorization": "Bearer u-81724617"})]
    await record(path, asked)
    assert await play(ReplayTransport(path), get("/users/me/files")) == ["0"]
    with pytest.raises(UnrecordedRequestError):
        await ReplayTransport(path).send(get("/users//files"))


@pytest.mark.parametrize(
    ("recorded", "sent", "same"),
    [
        ("a", "a", True),
        ("a", "ab", False),
        ("SCRUBBED-", "anything", True),
        ("SCRUBBED-", "", False),
        ("a/SCRUBBED-/b", "a/x/b", True),
        ("a/SCRUBBED-/b", "a//b", False),
        ("a/SCRUBBED-/b", "a/b", False),
        ("SCRUBBED-/SCRUBBED-", "a/b", True),
        ("SCRUBBED-/SCRUBBED-", "a/", False),
        ("SCRUBBED-/SCRUBBED-", "/b", False),
        ("SCRUBBED-aSCRUBBED-a", "xaya", True),
        ("SCRUBBED-aSCRUBBED-a", "xaa", False),
        ("aSCRUBBED-a", "aa", False),
        ("b=SCRUBBED-&c=2", "b=1&bb=2&c=2", False),
        ("b=SCRUBBED-&c=SCRUBBED-", "b=1&bb=2&c=3", False),
        ('{"b": "SCRUBBED-", "c": "2"}', '{"b": "1", "bb": "2", "c": "2"}', False),
    ],
)
async def test_something_stands_where_a_placeholder_is(
    recorded: str, sent: str, *, same: bool
) -> None:
    assert fits("body", recorded, sent) is same


async def test_in_a_path_it_is_one_segment(path: Path) -> None:
    await record(path, [get("/channels/planted-1/messages")], secrets=["planted-1"])
    with pytest.raises(UnrecordedRequestError, match="path: recorded "):
        await ReplayTransport(path).send(get("/channels/a/b/messages"))
    assert await play(ReplayTransport(path), get("/channels/a/messages")) == ["0"]


async def test_the_nearest_recorded_requests_are_named_first(path: Path) -> None:
    recorded = [get("/x?y=1"), post("/a", "b"), get("/a?b=1"), get("/z"), get("/a/c")]
    await record(path, recorded)
    with pytest.raises(UnrecordedRequestError) as caught:
        await ReplayTransport(path).send(get("/a?b=2"))
    lines = str(caught.value).splitlines()
    assert lines[0] == f"The cassette {path} has no answer for"
    assert lines[1] == "    GET https://service.example/a?..."
    assert lines[2] == "The nearest of 5 recorded:"
    assert lines[3] == "    #3 GET https://service.example/a?..."
    assert lines[4] == "        query: recorded 'b=1', sent 'b=2'"
    assert sum(line.startswith("    #") for line in lines) == 3
    assert "mode='new_episodes'" in lines[-1]


async def test_of_long_texts_the_difference_is_shown(path: Path) -> None:
    words = '{"text": "' + "many words " * 40
    await record(path, [post("/a", words + 'recorded", "yet": "' + "x" * 200 + '"}')])
    with pytest.raises(UnrecordedRequestError) as caught:
        await ReplayTransport(path).send(post("/a", words + 'sent"}'))
    shown = str(caught.value).splitlines()[4]
    assert "recorded ...' many words recorded" in shown
    assert "xxx'..., sent ...' many words sent\"}'" in shown
    assert len(shown) < 300


async def test_what_nobody_knows_to_be_a_secret_is_not_shown_when_it_looks_like_one(
    path: Path,
) -> None:
    await record(path, [get("/a?b=1")])
    with pytest.raises(UnrecordedRequestError) as caught:
        await ReplayTransport(path).send(get("/k3y-81726354-abcdefg?b=opaque-7162534-value"))
    assert "k3y" not in str(caught.value)
    assert "opaque" not in str(caught.value)


async def test_an_empty_cassette_says_so(path: Path) -> None:
    path.write_text('{"version": 1, "interactions": []}')
    with pytest.raises(UnrecordedRequestError, match="It is empty"):
        await ReplayTransport(path).send(get())
