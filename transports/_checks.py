"""What is wrong with a message, found without raising.

A request holds credentials in its query and body, an answer holds tokens. A validator that raises
has the value in its frame, and the frames of an exception are printed. So each function here
returns the problem, or None, and names the part, never what it holds.
"""

import math
import re
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from transports._headers import Headers

Problem: TypeAlias = TypeError | ValueError | None
"""What is to be raised, if anything is."""

_METHOD: Final = re.compile(r"[A-Z][A-Z-]*")
# RFC 3986 allows only printable ASCII, and a URL that is sent as it stands must be one. The host is
# a name or an address as DNS and sockets take it, which is less than the grammar of a URL allows.
_URL: Final = re.compile(
    r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]+))?(?:[/?][!\"$-~]*)?"
)
_LAST_PORT: Final = 65535

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
"""The port of a URL that names none."""


def without_query(url: str) -> str:
    """A URL as it may be printed: a query can hold a code or a token."""
    path, mark, _ = url.partition("?")
    return f"{path}?..." if mark else path


def method_problem(method: object) -> Problem:
    """A method is a word in capital letters."""
    if isinstance(method, str) and _METHOD.fullmatch(method):
        return None
    return ValueError(f"A method is written in capital letters, like GET; {method!r} is not.")


def url_problem(url: object) -> Problem:
    """A URL is absolute, for HTTP, and can be sent as it stands."""
    found = _URL.fullmatch(url) if isinstance(url, str) else None
    if found is not None and _has_port(found):
        return None
    return ValueError(
        "The URL of a request must be absolute, start with http:// or https://, and hold only "
        f"printable ASCII, no user name and no fragment: {_printable(url)} is not such a one."
    )


def not_ascii_problem(headers: Headers) -> Problem:
    """A field beyond ASCII is sent in one encoding by one client and in another by the next."""
    for name, value in headers.fields:
        if not value.isascii():
            return ValueError(f"The value of the header field {name!r} is not ASCII: encode it.")
    return None


def body_problem(body: object) -> Problem:
    """A body is bytes."""
    if isinstance(body, bytes):
        return None
    return TypeError(f"A body must be bytes, not {type(body).__name__}.")


def seconds_problem(name: str, seconds: object) -> Problem:
    """A limit is a positive number; there are other ways to say 'never'."""
    if isinstance(seconds, int | float) and 0 < seconds < math.inf:
        return None
    return ValueError(f"{name} is a number of seconds above 0, or None for no limit.")


def number_problem(name: str, number: object, kind: type[int | float], least: float) -> Problem:
    """A number of a kind, and not below something."""
    if isinstance(number, kind | int) and number >= least:
        return None
    return ValueError(f"{name} must be {_NUMBERS[kind]} from {least}, not {number!r}.")


_NUMBERS: Final = {int: "a whole number", float: "a number"}


def _has_port(url: re.Match[str]) -> bool:
    try:
        if "[" in url[0]:
            urlsplit(url[0])  # It knows what an IPv6 address is.
        return url[1] is None or 0 < int(url[1]) <= _LAST_PORT
    except ValueError:  # The address is broken, or the port has thousands of digits.
        return False


def _printable(url: object) -> str:
    if not isinstance(url, str):
        return type(url).__name__
    # A password stands before an @, a token may stand in a fragment.
    return repr(re.split("[?#]", url)[0].rpartition("@")[2])
