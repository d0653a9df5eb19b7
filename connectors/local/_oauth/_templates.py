"""Fills in the templates of the catalogue and makes requests of them.

A value is encoded for the place where it stands: a path, a query, a form, JSON or a header. A host
is the one place where nothing can be encoded, so what stands there has been checked before. No
value is searched for placeholders. Whatever comes out of a template may hold a secret, so it is
wrapped as one.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias
from urllib.parse import quote, urlencode

from connectors._json import encode_json
from connectors.catalog import Call, placeholders
from connectors.catalog._hosts import PLACEHOLDER
from connectors.local._oauth._values import Values
from transports import FieldValue, Request, Secret

_Parameters: TypeAlias = Mapping[str, Secret | int]

_ORIGIN: Final = re.compile(r"(?:https?://)?[^/?#]*")
_MAX_ANSWER: Final = 256 * 1024


def request_of(call: Call, values: Values) -> Request | ValueError:
    """The request of a call, or what its address lacks."""
    url = filled_url(call.url, values)
    if isinstance(url, ValueError):
        return url
    parameters = _filled_parameters(call, values)
    body = None
    if call.method == "GET":
        url = with_query(url, _form(parameters))
    elif parameters:
        body = _ENCODERS[call.body](parameters)
    return Request(
        call.method,
        url.reveal(),
        _headers(call, values, has_body=body is not None),
        None if body is None else body.reveal().encode(),
        max_body=_MAX_ANSWER,
        # Even a GET: it may renew a token.
        idempotent=False,
    )


def filled_url(template: str, values: Values) -> Secret | ValueError:
    """The URL of a template: its host as it was checked, the rest encoded."""
    missing = ", ".join(sorted(placeholders(template) - values.keys()))
    if missing:
        return ValueError(f"the address {template} needs a value for {missing}")
    end = len(_origin(template))
    host, path = _filled(template[:end], values, str), _filled(template[end:], values, quoted)
    return Secret(host.reveal() + path.reveal())


def filled(template: str, values: Values) -> Secret | None:
    """A template with its values as they are, or None if it has one that is not there."""
    return _filled(template, values, str) if placeholders(template) <= values.keys() else None


def with_query(url: Secret, pairs: Secret) -> Secret:
    """A URL with pairs that are encoded already."""
    mark = "&" if "?" in url.reveal() else "?"
    return Secret(url.reveal() + mark + pairs.reveal())


def quoted(value: str) -> str:
    """A value percent-encoded, so that it is one segment of a path or one value of a query."""
    return quote(value, safe="")


def _origin(template: str) -> str:
    found = _ORIGIN.match(template)
    assert found is not None
    return found[0]


def _filled(template: str, values: Values, encode: Callable[[str], str]) -> Secret:
    return Secret(PLACEHOLDER.sub(lambda found: encode(values[found[1]].reveal()), template))


def _filled_parameters(call: Call, values: Values) -> _Parameters:
    parameters: dict[str, Secret | int] = {}
    if call.basic_auth and "client_secret" not in values:
        # A public client names itself in the body (RFC 6749, section 3.2.1).
        parameters["client_id"] = values["client_id"]
    for name, template in call.parameters.items():
        value = template if isinstance(template, int) else filled(template, values)
        if value is not None:
            parameters[name] = value
    return parameters


def _form(parameters: _Parameters) -> Secret:
    return Secret(
        urlencode([(name, _plain(value)) for name, value in parameters.items()], quote_via=quote)
    )


def _json(parameters: _Parameters) -> Secret:
    body = encode_json({n: _plain(v) for n, v in parameters.items()}, "The body of a token call")
    return Secret(body.decode())


_ENCODERS: Final[Mapping[str, Callable[[_Parameters], Secret]]] = {"form": _form, "json": _json}
_CONTENT_TYPES: Final = {
    "form": "application/x-www-form-urlencoded",
    "json": "application/json",
}


def _plain(value: Secret | int) -> str | int:
    return value.reveal() if isinstance(value, Secret) else value


def _headers(call: Call, values: Values, *, has_body: bool) -> dict[str, FieldValue]:
    headers: dict[str, FieldValue] = {"accept": "application/json"}
    if has_body:
        headers["content-type"] = _CONTENT_TYPES[call.body]
    if call.basic_auth and "client_secret" in values:
        headers["authorization"] = _basic(values)
    for name, template in call.headers.items():
        value = filled(template, values)
        if value is not None:
            headers[name.lower()] = value
    return headers


def _basic(values: Values) -> Secret:
    # Both are encoded as a form before they are joined (RFC 6749, section 2.3.1).
    pair = ":".join(quoted(values[name].reveal()) for name in ("client_id", "client_secret"))
    return Secret(f"Basic {b64encode(pair.encode()).decode()}")
