"""What a client asks a user for, and where the user is sent with the answer.

The address to go back to is looked at first: until it is known to be good, a problem is shown to
the user and told to nobody (RFC 6749, section 4.1.2.1). A code goes to this machine only, unless
another address was allowed by name.
"""

from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import unquote_plus, urlencode

import attrs

from connectors.catalog import Integration
from connectors.local._redirects import is_absolute
from connectors.local._sandbox._accounts import Account, captured_value
from connectors.local._sandbox._addresses import is_local
from connectors.local._sandbox._asked import Asked, client_id
from connectors.local._sandbox._pkce import is_challenge
from connectors.local._sandbox._problems import OAuthProblem, invalid_request
from connectors.local._sandbox._templates import (
    Values,
    config_refusal,
    pairs,
    read_parameters,
    read_path,
)
from transports import Secret

_FIRST: Final = frozenset({"{client_id}", "{redirect_uri}", "{state}"})


@attrs.frozen
class ConsentRequest:
    """What a client asks for, when it is known where its user has to go back to."""

    integration: Integration
    issuer: str
    redirect_uri: str
    state: Secret | None
    scopes: tuple[str, ...] = ()
    challenge: Secret | None = None
    problem: OAuthProblem | None = None
    """Why the user is sent back at once."""


def read_consent_request(asked: Asked, allowed: Collection[str]) -> ConsentRequest | OAuthProblem:
    """What an authorization URL asks for, or why nobody may be sent back.

    Args:
        asked: The request for the page.
        allowed: The redirect URIs that are good though they lead to another machine.
    """
    integration, sent = asked.integration, pairs(asked.query)
    if isinstance(sent, OAuthProblem):
        return sent
    templates = _templates(integration, sent)
    first = {name: template for name, template in templates.items() if template in _FIRST}
    values = read_parameters(first, {name: sent[name] for name in first.keys() & sent.keys()})
    if isinstance(values, OAuthProblem):
        return values
    problem = _client_problem(integration, values) or _redirect_problem(values, allowed)
    if problem is not None:
        return problem
    request = ConsentRequest(
        integration,
        f"{asked.origin}/{integration.integration_type}",
        values["redirect_uri"].reveal(),
        values.get("state"),
    )
    return _completed(request, asked, read_parameters(templates, sent))


def code_address(request: ConsentRequest, code: Secret, captured: Mapping[str, str]) -> Secret:
    """Where a user goes who has consented."""
    told = [capture for capture in request.integration.captures if capture.source == "callback"]
    values = {capture.path: captured[capture.name] for capture in told}
    return _address(request, {"code": code.reveal(), **values})


def problem_address(request: ConsentRequest, problem: OAuthProblem) -> Secret:
    """Where a user goes who has not."""
    return _address(request, {"error": problem.code, "error_description": problem.description})


def captured_values(request: ConsentRequest, account: Account) -> Mapping[str, str]:
    """All that the provider tells of an account, by the names of the captures."""
    integration = request.integration
    return {
        capture.name: captured_value(integration, capture, account)
        for capture in integration.captures
    }


def redirect_problem(address: str, allowed: Collection[str] = ()) -> str | None:
    """What keeps an address from being one that a code is sent to."""
    if not is_absolute(address):
        return "it must be an http or https address without user, fragment and spaces"
    if address not in allowed and not is_local(address):
        return "it leads to another machine, and is not one that the sandbox was told to allow"
    return None


def _templates(integration: Integration, sent: Mapping[str, Secret]) -> Mapping[str, str]:
    """The parameters that a request has to have: the method of a challenge only with one."""
    templates = integration.authorization.parameters
    if "code_challenge" in sent:
        return templates
    return {
        name: template for name, template in templates.items() if name != "code_challenge_method"
    }


def _client_problem(integration: Integration, values: Values) -> OAuthProblem | None:
    if values.get("client_id") == Secret(client_id(integration.integration_type)):
        return None
    return OAuthProblem("unauthorized_client", "The client id is missing or unknown")


def _redirect_problem(values: Values, allowed: Collection[str]) -> OAuthProblem | None:
    if "redirect_uri" not in values:
        return invalid_request("There is no redirect URI")
    problem = redirect_problem(values["redirect_uri"].reveal(), allowed)
    return invalid_request(f"The redirect URI is refused: {problem}") if problem else None


def _completed(
    request: ConsentRequest, asked: Asked, values: Values | OAuthProblem
) -> ConsentRequest:
    in_path = read_path(asked.integration.authorization.url, asked.path)
    for problem in (values, in_path):
        if isinstance(problem, OAuthProblem):
            return attrs.evolve(request, problem=problem)
    assert not isinstance(values, OAuthProblem)
    assert not isinstance(in_path, OAuthProblem)
    challenge = values.get("code_challenge")
    return attrs.evolve(
        request,
        scopes=_scopes(asked.integration, values),
        challenge=challenge,
        problem=config_refusal(asked.integration, in_path)
        or _pkce_problem(asked.integration, challenge),
    )


def _scopes(integration: Integration, values: Values) -> tuple[str, ...]:
    text = values["scope"].reveal() if "scope" in values else ""
    return tuple(filter(None, text.split(unquote_plus(integration.scopes.separator))))


def _pkce_problem(integration: Integration, challenge: Secret | None) -> OAuthProblem | None:
    if challenge is None:
        required = integration.authorization.pkce == "S256_required"
        return invalid_request("This type demands PKCE with S256") if required else None
    return (
        None if is_challenge(challenge) else invalid_request("The code challenge is none of S256")
    )


def _address(request: ConsentRequest, values: Mapping[str, str]) -> Secret:
    state = {} if request.state is None else {"state": request.state.reveal()}
    query = urlencode({**values, **state, "iss": request.issuer})
    joint = "&" if "?" in request.redirect_uri else "?"
    return Secret(f"{request.redirect_uri}{joint}{query}")
