"""Lines that are typed without being shown."""

import pytest

from connectors._command._hidden_line import TypedLines


def typed(*chunks: bytes) -> list[str | None]:
    lines = TypedLines()
    for chunk in chunks:
        lines.type(chunk)
    return [None if line is None else line.reveal() for line in lines.complete]


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ((b"one\n",), ["one"]),
        ((b"one\r",), ["one"]),
        ((b"o", b"n", b"e", b"\n"), ["one"]),
        ((b"one\ntwo\nthr",), ["one", "two"]),
        ((b"\n",), [""]),
        ((b"wrong\x7f\x7f\x7f\x7f\x7fright\n",), ["right"]),
        ((b"wrong\b\b\b\b\b\b\bright\n",), ["right"]),
        ((b"wrong\x15right\n",), ["right"]),
        ((b"a\x1b[Ab\tc\n",), ["a[Abc"]),
        ((b"\x04",), [None]),
        ((b"one\n\x04",), ["one", None]),
        ((b"one\x04two\n",), ["onetwo"]),
        ((b"",), [None]),
        ((b"one", b""), []),
        (("\u00fc\n".encode(),), ["\u00fc"]),
    ],
)
def test_the_keys_do_what_is_expected_of_them(
    chunks: tuple[bytes, ...], lines: list[str | None]
) -> None:
    assert typed(*chunks) == lines


def test_a_line_has_an_end_even_when_somebody_goes_on_typing() -> None:
    (line,) = typed(b"x" * 70000, b"\n")
    assert line == "x" * 65536
