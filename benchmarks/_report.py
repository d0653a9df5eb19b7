"""What came out, for a person on the terminal and for a program as JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from benchmarks._turns import Outcome, Row, Spread


def table(outcomes: Sequence[Outcome]) -> str:
    """Every case with its contenders, the ratios to each and whether they are as promised."""
    return "\n\n".join("\n".join(_lines(outcome)) for outcome in outcomes)


def document(outcomes: Sequence[Outcome], about: Mapping[str, object]) -> str:
    """All of it as JSON, with every round's figures."""
    whole = {**about, "cases": [_case(outcome) for outcome in outcomes]}
    return json.dumps(whole, indent=2) + "\n"


def write(folder: Path, name: str, text: str) -> Path:
    """Keep a result, and say where."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def number(value: float) -> str:
    """With three digits, or all of those before the point."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def verdict(row: Row) -> str:
    """What was promised, and whether it holds; empty where nothing was."""
    return "" if row.target is None else f"{row.target}: {'met' if row.met else 'MISSED'}"


def _lines(outcome: Outcome) -> list[str]:
    case = outcome.case
    lines = [f"{case.name}  ({case.figure.unit}, {outcome.calls} calls a round)"]
    first = outcome.rows[0].name
    for row in outcome.rows:
        ratio = f"x{row.ratio.median:5.2f} ({_range(row.ratio)})" if row.ratio else ""
        told = f"{number(row.spread.median):>8} ({_range(row.spread)})"
        lines.append(f"  {row.name:34} {told:26} {ratio:22} {verdict(row)}".rstrip())
    lines += [f"  {name:34} left out: {why}" for name, why in outcome.left_out.items()]
    return [*lines, f"  (x: {first} / the other)"]


def _range(spread: Spread) -> str:
    return f"{number(spread.low)} to {number(spread.high)}"


def _case(outcome: Outcome) -> dict[str, object]:
    return {
        "name": outcome.case.name,
        "unit": outcome.case.figure.unit,
        "calls": outcome.calls,
        "left_out": dict(outcome.left_out),
        "contenders": [_row(row) for row in outcome.rows],
    }


def _row(row: Row) -> dict[str, object]:
    return {
        "name": row.name,
        "versions": dict(row.versions),
        "figures": list(row.figures),
        "spread": attrs.asdict(row.spread),
        "ratio": attrs.asdict(row.ratio) if row.ratio else None,
        "target": str(row.target) if row.target else None,
        "met": row.met,
    }
