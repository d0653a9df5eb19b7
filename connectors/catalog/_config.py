"""Checks what a user gives as a connection's config, before any of it is put into a URL.

Values are secrets or may hold one by mistake: no message shows a value, and no frame that raises
has one among its locals. So the check proper returns what it found, and raising is left to a
function that has let go of the values.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Final, TypeAlias

from connectors.catalog._hosts import origin_problem, origin_template, placeholders
from connectors.catalog._model import ConfigField, Integration

_Values: TypeAlias = Mapping[str, str]

_DOTS: Final = frozenset({".", ".."})


def check_config(
    integration: Integration,
    values: Mapping[str, str],
    *,
    complete: bool = False,
    allow_local_hosts: bool = False,
) -> dict[str, str]:
    """Check a connection's config and fill in the defaults.

    A value must match its field's pattern from end to end, with ASCII letters and digits only. A
    value that decides a host must make a public host name without a port, whatever the pattern
    allows: the client secret is sent there.

    Args:
        integration: The type that the connection is of.
        values: The values by the names of the fields. Captured values may be among them.
        complete: Demand what the provider fills in too. Before the consent it is not known yet.
        allow_local_hosts: Accept ports, IPv4 addresses and names such as `localhost` in a host.
            For tests on loopback only: whoever sets the value gets the client secret.

    Returns:
        The values and the defaults of the fields that have no value.

    Raises:
        ValueError: A name is unknown, a required value is missing or a value is refused. The
            message names the type, the field and the expected form, but never a value.
        TypeError: `values` is no mapping of strings.
    """
    wrong_type = _wrong_type(integration, values)
    if wrong_type is not None:
        del values
        raise TypeError(wrong_type)
    config = _with_defaults(integration, values)
    problems = chain(
        _unknown(integration, config),
        _refused(integration, config),
        _missing(integration, config, complete=complete),
        _untrusted(integration, config, allow_local=allow_local_hosts),
    )
    problem = next(problems, None)
    if problem is not None:
        del values, config, problems
        raise ValueError(problem)
    return config


def config_problem(
    integration: Integration, values: Mapping[str, str], *, allow_local_hosts: bool = False
) -> str | None:
    """Say what is wrong with a part of a connection's config, or None.

    For values that the provider tells: they are checked as `check_config` does, but none has to be
    there. The text names the type and the field, but never a value.
    """
    return _wrong_type(integration, values) or next(
        chain(
            _unknown(integration, values),
            _refused(integration, values),
            _untrusted(integration, values, allow_local=allow_local_hosts),
        ),
        None,
    )


def _where(integration: Integration) -> str:
    return f"{integration.integration_type}: connection_config"


def _wrong_type(integration: Integration, values: object) -> str | None:
    where = _where(integration)
    if not isinstance(values, Mapping):
        return f"{where} must be a mapping of strings, not {type(values).__name__}."
    for name, value in values.items():
        if not isinstance(name, str):
            return f"{where} has a name that is not a string but {type(name).__name__}."
        if not isinstance(value, str):
            return f"{where}[{name!r:.40}] must be a string, not {type(value).__name__}."
    return None


def _with_defaults(integration: Integration, values: _Values) -> dict[str, str]:
    fields = integration.connection_config
    return {f.name: f.default for f in fields if f.default is not None} | dict(values)


def _unknown(integration: Integration, config: _Values) -> Iterator[str]:
    fields = [field.name for field in integration.connection_config]
    known = {*fields, *(capture.name for capture in integration.captures)}
    takes = ", ".join(map(repr, fields)) or "none"
    for name in [name for name in config if name not in known]:
        yield f"{_where(integration)} has an unknown name, {name!r:.40}. Known names: {takes}."


def _refused(integration: Integration, config: _Values) -> Iterator[str]:
    fields = {field.name: field for field in integration.connection_config}
    for name, value in config.items():
        field = fields.get(name)
        problem = _text_problem(value) or (field and _form_problem(field, value))
        if problem:
            expected = _expected(field) if field else ""
            yield f"{_where(integration)}[{name!r}] {problem}. {expected}".rstrip()


def _text_problem(value: str) -> str | None:
    if not value:
        return "is empty"
    if not value.isprintable():
        return "has a character that does not print, such as a newline"
    # Every URL library resolves these away, and with them a part of the template.
    return None if _DOTS.isdisjoint(value.split("/")) else "is or has a path segment of dots"


def _form_problem(field: ConfigField, value: str) -> str | None:
    # fullmatch, as `$` also matches before a last newline; ASCII, as `\d` takes every script's.
    matched = re.fullmatch(field.validation_pattern, value, re.ASCII)
    return None if matched else "is not of the expected form"


def _missing(integration: Integration, config: _Values, *, complete: bool) -> Iterator[str]:
    for field in integration.connection_config:
        demanded = field.required and (complete or not field.automated)
        if demanded and field.name not in config:
            yield f"{_where(integration)}[{field.name!r}] is missing. {_expected(field)}"


def _expected(field: ConfigField) -> str:
    form = field.validation_error or f"It must match {field.validation_pattern}."
    return f"{form} {field.description} For example: {field.placeholder}"


def _untrusted(integration: Integration, config: _Values, *, allow_local: bool) -> Iterator[str]:
    for template in _origin_templates(integration):
        names = placeholders(template)
        if names and names <= config.keys():
            problem = origin_problem(template, config, allow_local=allow_local)
            if problem is not None:
                fields = ", ".join(map(repr, sorted(names)))
                yield f"{_where(integration)}[{fields}] is no public host: {problem}."


def _origin_templates(integration: Integration) -> set[str]:
    refresh, api = integration.refresh.call, integration.api
    calls = [
        *(step.call for step in integration.token),
        refresh.call if refresh else None,
        integration.revocation,
        api.probe.call,
    ]
    urls = {integration.authorization.url, integration.introspection_url, api.base_url}
    urls |= {call.url for call in calls if call is not None}
    urls |= {f"https://{host}" for host in api.hosts}
    return {origin_template(url) for url in urls if url is not None}
