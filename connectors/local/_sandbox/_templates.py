"""Reads a request by the templates that it was made from: the inverse of an OAuth engine.

A parameter whose template is `{code}` has the code, and one that is a constant has to be equal to
it. Whatever the templates do not have is refused, so a client that sends more than its provider
takes learns it here. What is read is wrapped at once.
"""

import base64
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final, TypeAlias
from urllib.parse import parse_qsl, unquote_plus

from connectors._json import Problem, parsed
from connectors.catalog import Call, Integration, config_problem, placeholders
from connectors.catalog._hosts import PLACEHOLDER
from connectors.local._sandbox._problems import OAuthProblem, invalid_request, shown
from connectors.local._sandbox._sandboxed import url_values
from transports import Headers, Request, Secret

Values: TypeAlias = Mapping[str, Secret]
"""What the placeholders of a request stand for, by their names."""

_MOST_PARAMETERS: Final = 100
_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"


def call_values(call: Call) -> frozenset[str]:
    """The names of all values that a call can carry."""
    parameters = (str(template) for template in call.parameters.values())
    templates = (call.url, *call.headers.values(), *parameters)
    basic = frozenset({"client_id", "client_secret"} if call.basic_auth else ())
    return basic.union(*map(placeholders, templates))


def read_call(
    call: Call, request: Request, path: tuple[str, ...], query: str
) -> Values | OAuthProblem:
    """The values in a request that was made from a call.

    Args:
        call: The templates.
        request: What has come.
        path: What follows the endpoint in the path, decoded.
        query: The query as it was sent.
    """
    sent = _sent(call, request, query)
    if isinstance(sent, OAuthProblem):
        return sent
    headers = _read_headers(call.headers, request.headers)
    parameters = read_parameters(call.parameters, sent)
    basic = _read_basic(request.headers) if call.basic_auth else {}
    return _together((read_path(call.url, path), basic, headers, parameters))


def read_path(url: str, path: tuple[str, ...]) -> Values | OAuthProblem:
    """The values in a path below its endpoint."""
    names = url_values(url)
    if len(names) != len(path) or not all(path):
        return invalid_request("The path has not the values that this URL takes")
    return {name: Secret(value) for name, value in zip(names, path, strict=True)}


def read_parameters(
    templates: Mapping[str, str | int], sent: Mapping[str, Secret]
) -> Values | OAuthProblem:
    """The values in parameters; one that could be left out and was has none."""
    unknown = next((name for name in sent if name not in templates), None)
    if unknown is not None:
        return invalid_request(f"The parameter {shown(unknown)} is not one that this takes")
    return _together(
        _read_parameter(name, str(template), sent.get(name)) for name, template in templates.items()
    )


def config_refusal(integration: Integration, values: Values) -> OAuthProblem | None:
    """What is wrong with a value of the config that came with a request."""
    for field in integration.connection_config:
        value = values.get(field.name)
        if value and config_problem(integration, {field.name: value.reveal()}):
            return invalid_request(f"The value of {shown(field.name)} is refused: see its form")
    return None


def pairs(text: str) -> Mapping[str, Secret] | OAuthProblem:
    """The parameters of a query or a form, each of which may be there once."""
    if not text:
        return {}
    found = _parsed_form(text)
    if found is None:
        return invalid_request("The parameters can't be read: they are not form-encoded UTF-8")
    if len(dict(found)) != len(found):
        return invalid_request("A parameter is there more than once")
    return {name: Secret(value) for name, value in found}


def _parsed_form(text: str) -> list[tuple[str, str]] | None:
    try:
        found = parse_qsl(
            text,
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MOST_PARAMETERS,
        )
    except ValueError:
        return None
    return found if text.isascii() else None


def _sent(call: Call, request: Request, query: str) -> Mapping[str, Secret] | OAuthProblem:
    if call.method == "GET":
        return pairs(query)
    if query:
        return invalid_request("The query must be empty: the parameters belong into the body")
    if not call.parameters:
        return {}
    wanted = _JSON if call.body == "json" else _FORM
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != wanted:
        return invalid_request(f"The body must be {wanted}")
    body = request.body or b""
    return _json_pairs(body) if wanted == _JSON else pairs(body.decode("latin-1"))


def _json_pairs(body: bytes) -> Mapping[str, Secret] | OAuthProblem:
    data = parsed(body)
    if isinstance(data, Problem):
        return invalid_request(f"The body can't be read: {data.text}")
    if not isinstance(data, dict) or not all(map(_plain, data.values())):
        return invalid_request("The body must be a JSON object of strings and numbers")
    return {name: Secret(str(value)) for name, value in data.items()}


def _plain(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _read_parameter(name: str, template: str, text: Secret | None) -> Values | OAuthProblem:
    if text is None:
        left_out = placeholders(template)
        return {} if left_out else invalid_request(f"The parameter {shown(name)} is missing")
    found = _read(template, text)
    if found is None:
        return invalid_request(f"The parameter {shown(name)} is not {shown(template)}")
    return found


def _read_headers(templates: Mapping[str, str], headers: Headers) -> Values | OAuthProblem:
    return _together(
        _read_header(name, template, headers.get_all(name)) for name, template in templates.items()
    )


def _read_header(name: str, template: str, texts: tuple[str, ...]) -> Values | OAuthProblem:
    found = _read(template, Secret(texts[0])) if len(texts) == 1 else None
    if found is None:
        return invalid_request(f"The header {shown(name)} must be there once, as {shown(template)}")
    return found


def _read_basic(headers: Headers) -> Values:
    texts = headers.get_all("authorization")
    scheme, _, encoded = texts[0].partition(" ") if len(texts) == 1 else ("", "", "")
    if scheme.lower() != "basic":
        return {}
    try:
        decoded = base64.b64decode(encoded, validate=True).decode("utf-8")
    except ValueError:
        return {}
    # RFC 6749, section 2.3.1: both are form-encoded before they are put together.
    name, _, password = decoded.partition(":")
    return {
        "client_id": Secret(unquote_plus(name)),
        "client_secret": Secret(unquote_plus(password)),
    }


def _read(template: str, text: Secret) -> Values | None:
    found = _pattern(template).fullmatch(text.reveal())
    return found and {name: Secret(value) for name, value in found.groupdict().items()}


@cache
def _pattern(template: str) -> re.Pattern[str]:
    # Every second part is the name of a placeholder.
    parts = enumerate(PLACEHOLDER.split(template))
    pattern = (f"(?P<{part}>.+)" if index % 2 else re.escape(part) for index, part in parts)
    return re.compile("".join(pattern), re.DOTALL)


def _together(readings: Iterable[Values | OAuthProblem]) -> Values | OAuthProblem:
    values: dict[str, Secret] = {}
    for reading in readings:
        if isinstance(reading, OAuthProblem):
            return reading
        if any(values.get(name, value) != value for name, value in reading.items()):
            return invalid_request("Two parts of the request contradict each other")
        values |= reading
    return values
