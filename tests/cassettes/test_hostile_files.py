"""Whatever stands in a file, none of it is run: it is refused, soon, and stays as it is."""

import gc
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from transports.replay import CassetteFormatError, ReplayTransport

# Longer than any of these takes on a machine that is busy, and far less than a bomb would.
_SOON = 30.0
_GIB = 1024**3


def one(body: str = "''", *, headers: str = "{}", uri: str = "http://service.example/") -> str:
    return f"""\
version: 1
interactions:
- request: {{method: GET, uri: '{uri}', body: {body}, headers: {headers}}}
  response: {{status: {{code: 200, message: OK}}, headers: {{}}, body: {{string: x}}}}
"""


def interactions(value: str) -> str:
    return f"version: 1\ninteractions: {value}\n"


def bomb(text: str) -> str:
    """Twelve lines that mean 10 to the power of 12 words, and a use of them."""
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    return "\n".join([*lines, text.replace("BOMB", "*a11")])


def merging() -> str:
    lines = ["m0: &m0 {k0: v, k1: v}"]
    lines += [f"m{n}: &m{n} {{<<: [{','.join([f'*m{n - 1}'] * 9)}]}}" for n in range(1, 12)]
    return "\n".join([*lines, one()])


def shared() -> str:
    """A body of a hundred gigabytes."""
    return f"s: &s '{'x' * 1_000_000}'\n{one('[' + ','.join(['*s'] * 99_000) + ']')}"


RUNNING = {
    "a call": interactions("!!python/object/apply:os.mkdir ['FOLDER']"),
    "an object": interactions("!!python/object/new:os.mkdir ['FOLDER']"),
    "a function": interactions("!!python/name:os.mkdir"),
    "a module": interactions("!!python/module:os"),
    "in a body": one("!!python/object/apply:os.mkdir ['FOLDER']"),
    "in a header": one(headers="{a: !!python/object/apply:os.mkdir ['FOLDER']}"),
    "as a name": one(headers="{? !!python/object/apply:os.mkdir ['FOLDER'] : x}"),
    "by another name": "%TAG ! tag:yaml.org,2002:python/object/apply:\n---\n!os.mkdir ['FOLDER']\n",
    "of Ruby": "--- !ruby/object:Gem::Installer\ni: x\n",
    "a hash of Ruby": interactions("!ruby/hash:ActionController::Parameters {a: b}"),
}
GROWING = {
    "aliases in a body": bomb(one("BOMB")),
    "aliases as exchanges": bomb(interactions("BOMB")),
    "aliases in a header": bomb(one(headers="{a: BOMB}")),
    "aliases as a name": bomb(one(headers="{? BOMB : x}")),
    "merged names": merging(),
    "a long text many times": shared(),
    "arrays": interactions("[" * 20_000),
    "arrays that are closed": interactions("[" * 5_000 + "]" * 5_000),
    "objects": "\n".join(" " * depth + "a:" for depth in range(2_000)),
    "dashes": "- " * 5_000,
    "a number by sixties": interactions("1" + ":59" * 300_000),
    "a fraction by sixties": interactions("1" + ":59" * 300_000 + ".5"),
    "a large number": interactions("9" * 1_000_000),
    "itself": interactions("&a [*a]"),
    "all of itself": "&a {version: 1, interactions: [*a]}",
    "a body of itself": one("&a [*a]"),
}
NONSENSE = {
    "an int": interactions("!!int ''"),
    "a float": interactions("!!float ''"),
    "a truth": interactions("!!bool x"),
    "a time": interactions("!!timestamp x"),
    "a day": interactions("2001-99-99"),
    "bytes": interactions("!binary [a]"),
    "base64": interactions("!binary 'ä'"),
    "a tuple": interactions("!!python/tuple a"),
    "a set of headers": one(headers="!!set {a, b}"),
    "a date in a body": one("{a: 2001-01-01}"),
    "two documents": "a: b\n---\nc: d\n",
    "no such alias": "*a",
    "a zero byte": "version: \0",
    "a port": one(uri="http://service.example:99999/"),
    "a host": one(uri="http://[service.example/"),
}


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Two gigabytes above what is used now: rather than the machine, the bomb fails."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2 * _GIB, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)
    gc.collect()


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize(
    "text",
    [pytest.param(text, id=name) for name, text in (RUNNING | GROWING | NONSENSE).items()],
)
def test_it_is_refused_and_nothing_of_it_is_run(tmp_path: Path, text: str) -> None:
    path, folder = tmp_path / "hostile.yaml", tmp_path / "made"
    path.write_text(text.replace("FOLDER", str(folder)))
    before = path.read_bytes()
    began = time.process_time()
    with pytest.raises(CassetteFormatError) as refused:
        ReplayTransport(path)
    assert time.process_time() - began < _SOON
    assert str(path) in str(refused.value)
    assert refused.value.__cause__ is None
    assert path.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == [path]


def test_nothing_of_it_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "hostile.yaml"
    for text in (one("{a: xoxb-planted-token: 'b'}"), interactions("!!int xoxb-planted-token")):
        path.write_text(text)
        with pytest.raises(CassetteFormatError) as refused:
            ReplayTransport(path)
        assert "planted" not in str(refused.value)
