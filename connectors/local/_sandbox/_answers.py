"""Writes the answers of a provider where its templates say that a client will look.

The inverse of reading them: a value is planted at its dotted path, in an object that grows as it
has to, and a failure wears the mark by which the type tells it from a success.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, TypeAlias
from urllib.parse import unquote_plus

from connectors.catalog import Call, Integration, Success, TokenCall
from connectors.local._sandbox._held import Issued
from connectors.local._sandbox._problems import OAuthProblem
from transports import Headers, Response

_Tree: TypeAlias = dict[str, object]

_FIELDS: Final = Headers({"content-type": "application/json", "cache-control": "no-store"})


def json_answer(
    data: Mapping[str, object], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """JSON that nobody may keep."""
    fields = _FIELDS.merged(headers or {})
    return Response(status, fields, json.dumps(data).encode("ascii"), source="local")


def token_answer(integration: Integration, step: TokenCall, issued: Issued) -> Response:
    """The answer to a call for a token."""
    answer = step.answer
    facts: dict[str | None, object] = {
        answer.access_token: issued.access_token.reveal(),
        _beside(answer.access_token, "token_type"): "Bearer",
        answer.refresh_token: issued.refresh_token and issued.refresh_token.reveal(),
        answer.expires_in: _left(issued.now, issued.ends_at),
        answer.expires_at: _moment(issued.ends_at),
        answer.refresh_expires_in: _left(issued.now, issued.refresh_ends_at),
        answer.scope: scope_text(integration, issued.grant.scopes),
    }
    told = (capture for capture in integration.captures if capture.source == "token_answer")
    facts |= {capture.path: issued.grant.captured[capture.name] for capture in told}
    wrapped = f"{answer.wrapped_in}." if answer.wrapped_in else ""
    tree = marked({}, step.call.success)
    for path, fact in facts.items():
        if path is not None and fact is not None:
            _plant(tree, f"{wrapped}{path}", fact)
    return json_answer(_with_lists(tree))


def success_answer(call: Call) -> Response:
    """The answer to a call that has nothing to tell but that it succeeded."""
    return json_answer(marked({}, call.success))


def problem_answer(call: Call, problem: OAuthProblem) -> Response:
    """A refusal in the way of the type: with its status, or in a 200 with a failure's mark."""
    data = {"error": problem.code, "error_description": problem.description}
    if call.success is not None:
        failure = problem.code if call.success.equals is None else not call.success.equals
        _plant(tree := _Tree(data), call.success.path, failure)
        return json_answer(tree)
    # RFC 6749, section 5.2, and RFC 9110, section 15.5.2.
    scheme = 'Basic realm="sandbox"' if call.basic_auth else 'Bearer realm="sandbox"'
    headers = {"www-authenticate": scheme} if problem.status == 401 else {}  # noqa: PLR2004
    return json_answer(data, problem.status, headers)


def marked(data: Mapping[str, object], success: Success | None) -> _Tree:
    """Data with the mark of a success, if there is one."""
    tree = _Tree(data)
    if success is not None and success.equals is not None:
        _plant(tree, success.path, success.equals)
    return tree


def scope_text(integration: Integration, scopes: tuple[str, ...]) -> str | None:
    """Scopes as an answer has them: separated as in a query that has been decoded."""
    return unquote_plus(integration.scopes.separator).join(scopes) or None


def _left(now: float, ends_at: float | None) -> int | None:
    return None if ends_at is None else int(ends_at - now)


def _moment(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _beside(path: str, name: str) -> str:
    parent, dot, _ = path.rpartition(".")
    return f"{parent}{dot}{name}"


def _plant(tree: _Tree, path: str, value: object) -> None:
    """Put a value where a path leads; an index of a list is a key for now."""
    *parents, last = path.split(".")
    for name in parents:
        below = tree.setdefault(name, _Tree())
        assert isinstance(below, dict)
        tree = below
    tree[last] = value


def _with_lists(tree: _Tree) -> _Tree:
    return {name: _listed(below) for name, below in tree.items()}


def _listed(below: object) -> object:
    if not isinstance(below, dict):
        return below
    tree = _with_lists(below)
    if not all(name.isdecimal() for name in tree):
        return tree
    return [tree[name] for name in sorted(tree, key=int)]
