"""The typed view: complete, frozen, and made only when it is asked for."""

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import cattrs
import pytest
from attrs.exceptions import FrozenInstanceError
from cattrs.strategies import configure_union_passthrough

import connectors.catalog
from connectors.catalog import Integration, integrations

ROOT = Path(__file__).parents[2]

WATCH = """
import sys
opened = []
sys.addaudithook(
    lambda event, args: opened.append(args[0])
    if event == "open" and str(args[0]).endswith("integrations.json") else None
)
import connectors.catalog
after_import = len(opened)
first, second = connectors.catalog.integrations(), connectors.catalog.integrations()
print(after_import, len(opened), first is second)
"""


def strict_converter() -> cattrs.Converter:
    """A second reading of the file, by the annotations alone."""

    def exactly(value: object, cls: type) -> object:
        if type(value) is not cls:
            raise TypeError(f"{value!r} is not {cls}")
        return value

    converter = cattrs.Converter(forbid_extra_keys=True)
    for cls in (str, int, bool):
        converter.register_structure_hook(cls, exactly)
    configure_union_passthrough(str | int | bool | None, converter)
    return converter


def raw() -> dict[str, dict[str, Any]]:
    data = files("connectors.catalog").joinpath("integrations.json").read_text("utf-8")
    entries: dict[str, dict[str, Any]] = json.loads(data)
    return entries


@pytest.mark.parametrize("name", integrations())
def test_an_entry_is_what_its_annotations_say_and_lacks_nothing(name: str) -> None:
    assert strict_converter().structure(raw()[name], Integration) == integrations()[name]


def test_the_file_is_read_once_and_not_at_import() -> None:
    seen = subprocess.run(
        [sys.executable, "-c", WATCH],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert seen.stdout.split() == ["0", "1", "True"]


def test_nobody_can_change_the_catalogue_for_others() -> None:
    slack = integrations()["slack"]
    with pytest.raises(TypeError):
        integrations()["slack"] = slack  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        slack.display_name = "x"  # type: ignore[misc]
    with pytest.raises(TypeError):
        slack.token[0].call.parameters["code"] = "x"  # type: ignore[index]


def test_an_entry_introduces_itself_by_its_name() -> None:
    assert repr(integrations()["slack"]) == "<Integration 'slack'>"


def test_the_public_names_are_sorted_and_there() -> None:
    names = connectors.catalog.__all__
    assert names == sorted(names)
    assert all(hasattr(connectors.catalog, name) for name in names)
