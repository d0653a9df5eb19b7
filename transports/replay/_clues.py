"""What gives away a secret that nobody has named: its field, its place, its look."""

import re
from base64 import b64decode
from collections.abc import Iterator
from contextlib import suppress
from typing import Final
from urllib.parse import unquote_plus

from transports._secret import Secret
from transports._shapes import SHAPES, names_a_secret, plain_name
from transports._sightings import Span

# Names of a query or a form that mean a secret, or something else: `state=open`, `code=US`. There
# the value decides, which of a secret is long, or has a digit and is not short.
_IN_A_FORM: Final = frozenset({"code", "key", "nonce", "sig", "state"})
_LIKE_ONE: Final = re.compile(r"(?=.*[0-9]).{8,}|.{20,}", re.DOTALL)
_ALSO: Final = (
    "accesskey",
    "jwt",
    "otp",
    "passcode",
    "passphrase",
    "passwd",
    "pwd",
    "secretkey",
    "sessionid",
    "signature",
)

CREDENTIAL: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9-]*) +(?P<credential>\S.*)", re.DOTALL
)
# In prose, a value counts only when it is no word: it has a digit, or is very long.
_NAMED: Final = re.compile(
    r"(?i:token|secret|passw(?:or)?d|passphrase|api[_-]?key|private[_-]?key|credential|signature|jwt)s?"
    r"(?:[\"']?\s{0,4}[:=>]\s{0,4}[\"']?|\"\r?\n\r?\n)"
    r"(?P<value>(?=[^\s\"'&,;<>]*[0-9]|[^\s\"'&,;<>]{24})[^\s\"'&,;<>]{6,})"
)
_IN_A_QUERY: Final = re.compile(
    r"[?&](?:code|key|nonce|sig|state)="
    r"(?P<value>(?=[^&#\s\"'<>]*[0-9]|[^&#\s\"'<>]{20})[^&#\s\"'<>]{8,})"
)
_USERINFO: Final = re.compile(r"(?<=://)(?P<value>[^/\s:@]{1,256}:[^/\s@]{1,256})(?=@)")
_NETS: Final = (SHAPES, _NAMED, _IN_A_QUERY, _USERINFO)
TOKEN_LIKE: Final = re.compile(r"(?=[^0-9]*[0-9])[A-Za-z0-9._~+/=-]{16,}")


def looking_like_one(text: str) -> Iterator[tuple[Span, Secret]]:
    """What in a text has the shape of a secret, or stands where the text says that there is one."""
    for net in _NETS:
        for found in net.finditer(text):
            group = "value" if "value" in net.groupindex else 0
            yield found.span(group), Secret(found[group])


def hides(name: str, _: object) -> bool:
    """Does a field of JSON hold a secret, by its name?"""
    return names_a_secret(name) or plain_name(name).endswith(_ALSO)


def hides_in_a_form(name: str, value: object) -> bool:
    """Does a field of a form or query hold one, by its name and value?"""
    told = plain_name(name) in _IN_A_FORM and _LIKE_ONE.fullmatch(str(value))
    return bool(told) or hides(name, value)


def in_cookies(name: str, value: str) -> Iterator[Secret]:
    """The values of cookies. Of one that is set, what follows says how long and where."""
    pairs = {"cookie": value.split(";"), "set-cookie": value.split(";")[:1]}.get(name, ())
    for pair in pairs:
        yield Secret(pair.partition("=")[2].strip().strip('"'))


def in_credential(scheme: str, credential: str) -> Iterator[Secret]:
    """The parts of a credential that are secret by themselves."""
    if scheme.lower() == "basic":
        with suppress(ValueError):
            whole = Secret(b64decode(credential).decode())
            password = Secret(whole.reveal().partition(":")[2])
            # OAuth encodes it as a form does (RFC 6749, section 2.3.1); not everybody does.
            yield from (whole, password, Secret(unquote_plus(password.reveal())))
