"""Whoever writes down the type of what goes in or comes out can import it from a public place."""

import ast
import inspect
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest

import connectors.catalog
import connectors.local
import transports
import transports.mock
import transports.testing

CURATED = [connectors, transports, transports.mock, transports.testing, connectors.catalog]
PUBLIC = {name for package in (*CURATED, connectors.local) for name in package.__all__}

UNSEEN = {"View"}
"""What a client makes its parts of; nobody else makes them."""


def is_public(name: str) -> bool:
    return not name.startswith("_") or name.startswith("__")


def annotations(node: ast.AST) -> Iterator[ast.AST]:
    """What stands in the signatures of a definition that somebody can read or call."""
    match node:
        case ast.ClassDef():
            for part in node.body:
                yield from annotations(part)
        case ast.FunctionDef() | ast.AsyncFunctionDef() if is_public(node.name):
            given = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            yield from filter(None, [node.returns, *(argument.annotation for argument in given)])
        case ast.AnnAssign(ast.Name(name)) if is_public(name):
            # Of an alias it is the value that says what it is.
            is_alias = isinstance(node.annotation, ast.Name) and node.annotation.id == "TypeAlias"
            yield node.value if is_alias and node.value else node.annotation


def names(annotation: ast.AST) -> Iterator[str]:
    for node in ast.walk(annotation):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            with suppress(SyntaxError):  # A value of a Literal.
                yield from names(ast.parse(node.value, mode="eval"))


def of_ours(module: ast.Module) -> set[str]:
    """The types that a module of ours defines, or has from another one of ours."""
    found: set[str] = set()
    for node in ast.walk(module):
        match node:
            case ast.ImportFrom(module=str(origin), names=imported):
                if origin.partition(".")[0] in {"connectors", "transports"}:
                    found |= {alias.name for alias in imported}
            case ast.ClassDef(name=name) | ast.AnnAssign(ast.Name(name), ast.Name("TypeAlias")):
                found.add(name)
    return found


def homeless(package: ModuleType) -> Iterator[str]:
    for file in Path(inspect.getfile(package)).parent.rglob("*.py"):
        module = ast.parse(file.read_text("utf-8"))
        for node in module.body:
            name = getattr(node, "name", None) or getattr(getattr(node, "target", None), "id", "")
            if name in package.__all__:
                used = {used for part in annotations(node) for used in names(part)}
                yield from (f"{name}: {used}" for used in used & of_ours(module) - PUBLIC - UNSEEN)


@pytest.mark.parametrize("package", CURATED, ids=lambda package: package.__name__)
def test_every_type_in_a_public_signature_can_be_imported(package: ModuleType) -> None:
    assert sorted(homeless(package)) == []
