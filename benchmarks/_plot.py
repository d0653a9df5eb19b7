"""The plot of a benchmark as SVG: a bar for each contender, with how the first compares.

A bar is the median of the rounds and the line at its end goes from quartile to quartile. It is
text and rectangles, with nothing to install.
"""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from benchmarks._report import number, verdict
from benchmarks._turns import Outcome, Row

_WIDTH: Final = 960
_LABELS: Final = 270
"""Where the bars begin."""

_BAR: Final = 360
"""How long the longest is."""

_ROW: Final = 22
_OURS: Final = "#2f6fb3"
_OTHERS: Final = "#b9c3cf"

_STYLE: Final = (
    "text { font: 13px system-ui, sans-serif; fill: #1d2329 }"
    " .title { font-size: 18px; font-weight: 600 } .case { font-weight: 600 }"
    " .note { fill: #5c6670 } .missed { fill: #b3261e }"
)


def plot(title: str, note: str, outcomes: Sequence[Outcome]) -> str:
    """The whole picture; the note stands under the title."""
    marks = [_text(16, 30, title, "title"), _text(16, 52, note, "note")]
    y = 88
    for outcome in outcomes:
        marks += _case(outcome, y)
        y += _ROW * (len(outcome.rows) + 2)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" width="{_WIDTH}">'
    ground = '<rect width="100%" height="100%" fill="#ffffff"/>'
    return "\n".join([head, f"<style>{_STYLE}</style>", ground, *marks, "</svg>", ""])


def _case(outcome: Outcome, y: int) -> Iterator[str]:
    yield _text(16, y, f"{outcome.case.name}, {outcome.case.figure.unit}", "case")
    longest = max(row.spread.high for row in outcome.rows)
    for place, row in enumerate(outcome.rows, start=1):
        yield from _bar(row, y + place * _ROW, _BAR / longest if longest else 0)


def _bar(row: Row, y: int, scale: float) -> Iterator[str]:
    colour = _OTHERS if row.ratio else _OURS
    low, median, high = (
        _LABELS + value * scale for value in (row.spread.low, row.spread.median, row.spread.high)
    )
    yield _text(_LABELS - 8, y, row.name, "end")
    box = f'y="{y - 12}" width="{median - _LABELS:.1f}" height="15"'
    yield f'<rect x="{_LABELS}" {box} fill="{colour}"/>'
    yield f'<path d="M{low:.1f} {y - 4.5}H{high:.1f}" stroke="#1d2329" stroke-width="1.5"/>'
    told = [number(row.spread.median)]
    if row.ratio:
        told.append(f"x{row.ratio.median:.2f}")
    told += filter(None, [verdict(row)])
    yield _text(high + 8, y, " · ".join(told), "missed" if row.met is False else "note")


def _text(x: float, y: float, text: str, kind: str) -> str:
    anchor = ' text-anchor="end"' if kind == "end" else ""
    return f'<text x="{x:.1f}" y="{y}" class="{kind}"{anchor}>{escape(text)}</text>'
