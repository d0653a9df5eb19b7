"""The public names, and what importing them costs."""

import importlib.metadata
import inspect
import subprocess
import sys
from types import ModuleType

import pytest

import connectors
import connectors.catalog
import connectors.local
import transports
import transports.aiohttp
import transports.mock

CURATED = [connectors, transports, connectors.catalog, connectors.local]


@pytest.mark.parametrize("package", CURATED, ids=lambda package: package.__name__)
def test_all_is_sorted_and_complete(package: ModuleType) -> None:
    public = {
        name
        for name, value in vars(package).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    dunder = {"__version__"} & vars(package).keys()
    assert set(package.__all__) == public | dunder
    # Constants, then classes, then functions, as an isort-style sort has them.
    assert list(package.__all__) == sorted(
        package.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name)
    )


@pytest.mark.parametrize("package", [*CURATED, transports.aiohttp, transports.mock])
def test_every_public_thing_says_what_it_is(package: ModuleType) -> None:
    for name in getattr(package, "__all__", ()):
        thing = getattr(package, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert inspect.getdoc(thing), name
    assert inspect.getdoc(package)


def loaded_by(code: str) -> set[str]:
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )
    return set(done.stdout.split())


def test_import_connectors_is_light() -> None:
    heavy = {"aiohttp", "structlog", "connectors.local", "cryptography", "click", "rich", "trio"}
    assert loaded_by("import connectors, transports").isdisjoint(heavy)


def test_import_of_the_catalogue_reads_no_file() -> None:
    assert "importlib.resources" not in loaded_by("import connectors.catalog") - loaded_by("")


def test_the_mock_needs_no_http_library() -> None:
    assert "aiohttp" not in loaded_by("import transports.mock")


def test_the_version_is_the_distributions() -> None:
    assert importlib.metadata.version("base44-connectors") == connectors.__version__
