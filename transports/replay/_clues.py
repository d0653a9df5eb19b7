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
    "authcode",
    "authorizationcode",
    "devicecode",
    "encryptionkey",
    "jwt",
    "otp",
    "passcode",
    "passphrase",
    "passwd",
    "pwd",
    "passwordconfirmation",
    "secretkey",
    "sessionid",
    "signature",
    "signingkey",
    "subscriptionkey",
)

CREDENTIAL: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9-]*) +(?P<credential>\S.*)", re.DOTALL
)
# In prose, a value counts only when it is no word: it has a digit, or is very long.
_NAMED: Final = re.compile(
    r"(?i:token|secret|passw(?:or)?d|passphrase|api[_-]?key|private[_-]?key|credential|signature|jwt)s?"
    r"(?:[\"']?\s{0,4}[:=>]\s{0,4}[\"']?"
    r"|\"(?:;[^\r\n]{0,200})?\r?\n(?:[A-Za-z-]{1,40}:[^\r\n]{0,200}\r?\n){0,3}\r?\n)"
    r"(?P<value>(?=[^\s\"'&,;<>]*[0-9]|[^\s\"'&,;<>]{24})[^\s\"'&,;<>]{6,})"
)
_IN_A_QUERY: Final = re.compile(
    r"[?&#](?:code|key|nonce|sig|state)="
    r"(?P<value>(?=[^&#\s\"'<>]*[0-9]|[^&#\s\"'<>]{20})[^&#\s\"'<>]{8,})"
)
_USERINFO: Final = re.compile(r"(?<=://)(?P<value>[^/\s:@]{0,256}:[^/\s@]{1,256})(?=@)")
_NETS: Final = (SHAPES, _NAMED, _IN_A_QUERY, _USERINFO)
_TOKEN_LIKE: Final = re.compile(r"[A-Za-z0-9._~+/=-]{16,}")
_RUN: Final = re.compile(r"[A-Za-z0-9]{9,}")


def looking_like_one(text: str) -> Iterator[tuple[Span, Secret]]:
    """What in a text has the shape of a secret, or stands where the text says that there is one."""
    for net in _NETS:
        for found in net.finditer(text):
            group = "value" if "value" in net.groupindex else 0
            yield found.span(group), Secret(found[group])


def _hides(name: str) -> bool:
    return names_a_secret(name) or plain_name(name).endswith(_ALSO)


def _counts(name: str, value: object) -> bool:
    """Is it how many tokens there are, as a language model says and is told?"""
    return isinstance(value, int) and name.lower().endswith("tokens")


def looks_like_a_token(value: str) -> bool:
    """Is it made as if by chance, and no version, time or name of a host?"""
    runs = _RUN.findall(value) if _TOKEN_LIKE.fullmatch(value) else ()
    return any(not run.isalpha() and not run.isdigit() for run in runs)


def hides_in_json(name: str, value: object) -> bool:
    """Does a field of JSON hold a secret, by its name?"""
    return _hides(name) and not _counts(name, value)


def hides_in_a_form(name: str, value: object) -> bool:
    """Does a field hold a secret? What is sent for a token is a form, if it is in JSON, too."""
    told = isinstance(value, str) and plain_name(name) in _IN_A_FORM and _LIKE_ONE.fullmatch(value)
    return bool(told) or hides_in_json(name, value)


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
