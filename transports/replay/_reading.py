"""Read a file as a cassette, whichever program wrote it. No code of a file is ever run.

YAML is read with PyYAML, where that is installed, and by its safe loader, which makes plain values
and nothing else. A file is never changed by being read, whatever is wrong with it.
"""

import json
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Final

from transports.replay._document import Document
from transports.replay._errors import CassetteFormatError
from transports.replay._foreign import read_any
from transports.replay._format import Cassette

if TYPE_CHECKING:
    import yaml

_ADVICE: Final = "Restore it, or delete it and record it again."

# What PyYAML raises of a value that is not as its tag says.
_UNEXPECTED: Final = (AttributeError, LookupError, TypeError, ValueError)


def read(path: Path) -> Cassette | None:
    """The cassette of a file; None where there is no file.

    Raises:
        CassetteFormatError: It is no cassette. The message says where, and shows nothing of it.
        OSError: It can't be read.
    """
    if path.is_fifo():
        # To read it would be to wait for somebody who writes.
        raise CassetteFormatError(f"{path} is no cassette: it is a pipe.")
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    return parsed(path, raw)


def parsed(path: Path, raw: bytes) -> Cassette:
    """The cassette of a file's bytes."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CassetteFormatError(f"{path} is no cassette: it is not UTF-8. {_ADVICE}") from None
    load = _from_json if text.lstrip()[:1] in {"", "{", "["} else _from_yaml
    return read_any(Document(path, load(path, text)))


def _from_json(path: Path, text: str) -> object:
    problem = "is nested too deeply"
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        problem = f"breaks off in line {error.lineno}" if text else "is empty"
    except ValueError:
        problem = "has a number of too many digits"
    except RecursionError:
        pass
    # Outside of the handler: the error holds the whole text.
    raise CassetteFormatError(f"{path} is a damaged cassette: its JSON {problem}. {_ADVICE}")


def _from_yaml(path: Path, text: str) -> object:
    try:
        import yaml  # noqa: PLC0415 - an extra, and only for files that need it.
    except ImportError:
        raise CassetteFormatError(
            f"{path} is not JSON. A cassette in YAML is read where PyYAML is installed: "
            "pip install 'base44-connectors[yaml]'"
        ) from None
    problem = "is nested too deeply"
    try:
        return yaml.load(text, _loader())  # noqa: S506 - it is a safe one.
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        problem = f"can't be read in line {line}"
        if isinstance(error, yaml.constructor.ConstructorError):
            problem = f"names a type in line {line} that is no plain value"
    except (yaml.YAMLError, *_UNEXPECTED):
        problem = "can't be read"
    except RecursionError:
        pass
    raise CassetteFormatError(f"{path} is no cassette: its YAML {problem}. {_ADVICE}")


def _loader() -> "type[yaml.SafeLoader]":
    """PyYAML's safe loader, which also knows the tags that others give to plain values."""
    import yaml  # noqa: PLC0415 - as above.

    class Loader(yaml.SafeLoader):
        """Makes plain values, in no more time than it takes to read them."""

        def flatten_mapping(self, _: yaml.MappingNode) -> None:
            """Merge nothing into an object: a few lines of that can mean billions of names."""

    # Its own read sixty as `1:00`, and take hours for a long one.
    Loader.add_constructor("tag:yaml.org,2002:int", _int)
    Loader.add_constructor("tag:yaml.org,2002:float", _float)
    # Ruby writes bytes with a tag of its own, Python 2 wrote all text with one, and vcrpy has one
    # for the pairs of a form.
    Loader.add_constructor("!binary", _bytes)
    for tag in ("str", "unicode"):
        Loader.add_constructor(f"tag:yaml.org,2002:python/{tag}", _text)
    Loader.add_constructor("tag:yaml.org,2002:python/tuple", _array)
    return Loader


def _int(_: "yaml.SafeLoader", node: "yaml.ScalarNode") -> int:
    return int(node.value)


def _float(_: "yaml.SafeLoader", node: "yaml.ScalarNode") -> float:
    return float(node.value)


def _bytes(_: "yaml.SafeLoader", node: "yaml.ScalarNode") -> bytes:
    return b64decode(node.value)


def _text(_: "yaml.SafeLoader", node: "yaml.ScalarNode") -> str:
    return str(node.value)


def _array(loader: "yaml.SafeLoader", node: "yaml.SequenceNode") -> list[object]:
    return list(loader.construct_sequence(node, deep=True))
