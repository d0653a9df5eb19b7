"""What the tests of the sandbox share: a client made of the catalogue's templates, by hand.

It is none of the OAuth engine's code, so the two can't agree on the same mistake.
"""

import base64
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import attrs

from connectors.catalog import Call, Integration, TokenAnswer, integrations
from connectors.local._sandbox import LIFETIME, SandboxProvider, sandboxed
from transports import FieldValue, Request, Response, Secret

NOW = 1_800_000_000.0
ORIGIN = "http://127.0.0.1:8045"
REDIRECT = "http://localhost:8044/oauth/callback"
STATE = "a state, with = and & and é"
VERIFIER = "a-verifier-of-no-fewer-than-forty-three-characters"
CHALLENGE = "ckMJaqX4Ya_9gWs_PyQMP1JqBStlmVi5r7d-Xf4VGAo"
TYPES = sorted(integrations())


@attrs.define
class Clock:
    """A clock that stands still until somebody moves it."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


@attrs.define(eq=False)
class Player:
    """A client of one type, and what it has been told so far."""

    provider: SandboxProvider
    clock: Clock
    integration: Integration
    values: dict[str, str]
    told: dict[str, object] = attrs.field(factory=dict)
    """The last answer to a call for a token."""

    @property
    def name(self) -> str:
        return self.integration.integration_type

    def authorization_url(self, **changes: Any) -> str:
        """The address of the consent page, with parameters changed, added or left out."""
        authorization = self.integration.authorization
        parameters = _filled(authorization.parameters, self.values)
        kept = {n: v for n, v in (parameters | changes).items() if v is not None}
        # Scopes have their separator in plain sight.
        scopes = self.values.get("scope")
        safe = {n: "+," if v == scopes else "" for n, v in kept.items()}
        query = "&".join(f"{quote(n)}={quote(str(v), safe=safe[n])}" for n, v in kept.items())
        return f"{_url(authorization.url, self.values)}?{query}"

    def approve(self, account: str = "ada", **changes: Any) -> dict[str, str]:
        """Consent, and take what the callback brings."""
        url = Secret(self.authorization_url(**changes))
        told = query_of(self.provider.approve(url, account).reveal())
        self._capture("callback", told)
        self.values["code"] = told.get("code", "")
        return told

    async def connect(self, account: str = "ada", **changes: Any) -> None:
        """All of the flow, up to the token that is kept."""
        self.approve(account, **changes)
        for index in range(len(self.integration.token)):
            response = await self.take(index)
            assert response.status == 200, response.body

    async def take(self, step: int = 0, **changes: Any) -> Response:
        """Make a call on the way from the code to the token."""
        token = self.integration.token[step]
        return self._took(token.answer, await self.send(token.call, **changes))

    async def refresh(self, **changes: Any) -> Response:
        """Renew the token."""
        token = self.integration.refresh.call
        assert token is not None
        return self._took(token.answer, await self.send(token.call, **changes))

    async def revoke(self, **changes: Any) -> Response:
        """Give the tokens back."""
        assert self.integration.revocation is not None
        tokens = [self.values.get(name) for name in ("refresh_token", "access_token")]
        token = next(filter(None, tokens))
        return await self.send(self.integration.revocation, {"token": token}, **changes)

    async def probe(self, token: str | None = None) -> Response:
        """Call the API as the catalogue says that one tries a token."""
        call = self.integration.api.probe.call
        return await self.api(call.url, call.method, token=token)

    async def api(self, url: str, method: str = "GET", *, token: str | None = None) -> Response:
        """Call the API."""
        shown = Secret(f"Bearer {self.values['access_token'] if token is None else token}")
        headers = _filled(self.integration.api.headers, self.values)
        fields: dict[str, FieldValue] = {n: str(v) for n, v in headers.items()}
        fields["authorization"] = shown
        return await self.provider.handle(Request(method, _url(url, self.values), fields))

    async def send(
        self, call: Call, values: Mapping[str, str] | None = None, **changes: Any
    ) -> Response:
        return await self.provider.handle(self.request(call, values, **changes))

    def request(
        self, call: Call, values: Mapping[str, str] | None = None, **changes: Any
    ) -> Request:
        """A call, with parameters changed, added or left out."""
        known = {**self.values, **(values or {})}
        parameters = {
            n: v for n, v in (_filled(call.parameters, known) | changes).items() if v is not None
        }
        headers = {n: str(v) for n, v in _filled(call.headers, known).items()}
        if call.basic_auth:
            headers["authorization"] = basic(known["client_id"], known["client_secret"])
        url = _url(call.url, known)
        if call.method == "GET":
            return Request("GET", f"{url}?{urlencode(parameters)}", headers)
        if not parameters:
            return Request(call.method, url, headers)
        if call.body == "json":
            headers["content-type"] = "application/json; charset=utf-8"
            return Request(call.method, url, headers, json.dumps(parameters).encode())
        headers["content-type"] = "application/x-www-form-urlencoded"
        return Request(call.method, url, headers, urlencode(parameters).encode())

    def _took(self, answer: TokenAnswer, response: Response) -> Response:
        data = told(response)
        self.told = data
        facts = at(data, answer.wrapped_in) or data
        for name in ("access_token", "refresh_token"):
            token = at(facts, getattr(answer, name))
            if isinstance(token, str):
                self.values[name] = token
        self._capture("token_answer", facts)
        return response

    def _capture(self, source: str, data: object) -> None:
        for capture in self.integration.captures:
            value = at(data, capture.path) if capture.source == source else None
            if isinstance(value, str):
                self.values[capture.name] = value


def player(name: str, provider: SandboxProvider | None = None, **options: object) -> Player:
    """A client of a type, and a provider for it."""
    clock = Clock()
    if provider is None:
        provider = SandboxProvider(clock=clock, **options)  # type: ignore[arg-type]
    lifetime = options.get("lifetime", LIFETIME)
    assert isinstance(lifetime, int | float)
    integration = sandboxed(integrations()[name], ORIGIN, lifetime=lifetime)
    client = provider.client(name)
    assert client.client_secret is not None
    config = {f.name: f.placeholder for f in integration.connection_config if not f.automated}
    flow = {
        "client_id": client.client_id,
        "client_secret": client.client_secret.reveal(),
        "redirect_uri": REDIRECT,
        "state": STATE,
        "code_challenge": CHALLENGE,
        "code_verifier": VERIFIER,
    }
    scopes = (*integration.scopes.required, *integration.scopes.examples)
    asked = {"scope": integration.scopes.separator.join(scopes)} if scopes else {}
    return Player(provider, clock, integration, config | flow | asked)


def basic(name: str, password: str) -> str:
    pair = f"{quote(name, safe='')}:{quote(password, safe='')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def at(data: object, path: str | None) -> object:
    """What stands at a dotted path."""
    for part in path.split(".") if path else ():
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list):
            data = data[int(part)]
    return data if path else None


def told(response: Response) -> dict[str, object]:
    """The body as JSON, after a look at what every answer must have."""
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    data = json.loads(response.body)
    assert isinstance(data, dict)
    return data


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, strict_parsing=True, keep_blank_values=True))


def _filled(
    templates: Mapping[str, str | int], values: Mapping[str, str]
) -> dict[str, str | int | None]:
    filled: dict[str, str | int | None] = {}
    for name, template in templates.items():
        names = re.findall(r"\{(\w+)\}", str(template))
        if all(known in values for known in names):
            filled[name] = str(template).format(**values) if names else template
    return filled


def _url(template: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: quote(values[found[1]], safe=""), template)
