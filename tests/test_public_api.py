"""The public names, and what importing them costs."""

import ast
import importlib.metadata
import inspect
import subprocess
import sys
from importlib import import_module
from types import ModuleType

import pytest

import connectors
import connectors.catalog
import connectors.local
import connectors.testing
import transports
import transports.aiohttp
import transports.mock
import transports.mock.faults
import transports.testing

CURATED = [
    connectors,
    connectors.catalog,
    connectors.local,
    transports,
    transports.mock,
    transports.testing,
]


@pytest.mark.parametrize("package", CURATED, ids=lambda package: package.__name__)
def test_all_is_sorted_and_complete(package: ModuleType) -> None:
    assert all(hasattr(package, name) for name in package.__all__)  # Some are imported by that.
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


@pytest.mark.parametrize("package", [*CURATED, transports.aiohttp, transports.mock.faults])
def test_every_public_thing_says_what_it_is(package: ModuleType) -> None:
    for name in getattr(package, "__all__", ()):
        thing = getattr(package, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert inspect.getdoc(thing), name
    assert inspect.getdoc(package)


def loaded_by(code: str) -> set[str]:
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True, timeout=120
    )
    return set(done.stdout.split())


def test_import_connectors_is_light() -> None:
    heavy = {"aiohttp", "structlog", "connectors.local", "cryptography", "click", "rich", "trio"}
    assert loaded_by("import transports; from connectors import Client").isdisjoint(heavy)


def test_import_connectors_alone_imports_next_to_nothing() -> None:
    assert loaded_by("import connectors") - loaded_by("") == {"connectors", "connectors._version"}


def test_a_name_is_what_a_type_checker_takes_it_for() -> None:
    source = ast.parse(inspect.getsource(connectors))
    declared = {
        alias.name: getattr(import_module(node.module or ""), alias.name)
        for node in ast.walk(source)
        if isinstance(node, ast.ImportFrom) and node.module != "importlib"
        for alias in node.names
    }
    assert sorted(declared) == sorted(connectors.__all__)
    for name, thing in declared.items():
        assert getattr(connectors, name) is thing


def test_what_is_not_there_is_told_as_by_every_module() -> None:
    assert set(connectors.__all__) <= set(dir(connectors))
    with pytest.raises(AttributeError, match="module 'connectors' has no attribute 'nothing'"):
        connectors.nothing  # type: ignore[attr-defined]  # noqa: B018 - the access is the use.


def test_import_of_the_catalogue_reads_no_file() -> None:
    assert "importlib.resources" not in loaded_by("import connectors.catalog") - loaded_by("")


def test_the_mock_needs_no_http_library() -> None:
    assert "aiohttp" not in loaded_by("import transports.mock")


def test_the_promises_need_no_test_runner() -> None:
    heavy = {"aiohttp", "connectors", "pytest", "trio"}
    assert loaded_by("import transports.testing").isdisjoint(heavy)


def test_the_testing_kit_needs_neither_http_library_nor_test_runner() -> None:
    heavy = {"aiohttp", "connectors.local", "pytest", "structlog", "trio"}
    assert loaded_by("import connectors.testing").isdisjoint(heavy)


def test_import_of_connectors_loads_no_testing_kit() -> None:
    assert "connectors.testing" not in loaded_by("from connectors import Client")


def test_import_of_the_seam_loads_no_promises() -> None:
    assert "transports.testing" not in loaded_by("import transports, transports.mock")


def test_the_version_is_the_distributions() -> None:
    assert importlib.metadata.version("base44-connectors") == connectors.__version__
