"""The certified oidc-provider, run as a process: what it serves, how it fails, what it has seen."""

import json
import os
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Literal, TypeAlias
from urllib.parse import urlencode, urljoin

import aiohttp
import anyio
import attrs
from anyio.streams.buffered import BufferedByteReceiveStream

from tests.conformance.processes import running
from tests.conformance.sdks import NODE_MODULES

Method: TypeAlias = Literal["client_secret_basic", "client_secret_post", "none"]
"""How a client authenticates; it is the id of the client, too."""

METHODS: Final[tuple[Method, ...]] = ("client_secret_basic", "client_secret_post", "none")

_SERVER: Final = Path(__file__).with_name("oidc_provider.mjs")
_LONGEST_LINE: Final = 4096
_REDIRECTS: Final = 10
_PATIENCE: Final = 30.0
_POLL: Final = 0.02


@attrs.frozen(kw_only=True)
class Fault:
    """What happens to one call of the token endpoint, in this order."""

    delay_before: float = 0.0
    """Seconds until the provider sees it."""

    commit: bool = True
    """Does the provider see it? If so, a refresh token has been rotated when the answer is lost."""

    delay_after: float = 0.0
    """Seconds until the answer leaves."""

    status: int | None = None
    """This status is answered, whatever the provider has made of it."""

    headers: Mapping[str, str] = attrs.field(factory=dict)
    """Header fields of that answer."""

    drop: bool = False
    """The connection is cut, there is no answer."""


@attrs.frozen(kw_only=True)
class Seen:
    """A call of the token endpoint as the provider saw it; digests are SHA-256, in hex."""

    arrived: float
    """Unix time."""

    committed: float | None = None
    """When the provider had done its part; None as long as it has not, or was not asked."""

    ended: float | None = None
    """When the answer left, or the connection was cut."""

    pid: int | None = None
    """The process that made it, when it says so in `X-Test-Pid`."""

    client: str | None = None
    grant_type: str | None = None
    grant: str | None = None
    presented: str | None = None
    """The digest of the refresh token that came."""

    issued: str | None = None
    """The digest of the refresh token that left."""

    status: int | None = None
    """What the provider answered, whatever a fault made of it."""

    error: str | None = None
    detail: str | None = None
    """Why, in words that the provider keeps to itself."""


@attrs.frozen
class Granted:
    """What an account has allowed a client."""

    id: str
    client: str
    chain: tuple[str, ...]
    """The digests of its refresh tokens, the newest last."""

    alive: bool
    """Would the newest refresh token be taken?"""


@attrs.frozen
class Log:
    """Everything that has happened at the provider."""

    calls: tuple[Seen, ...]
    grants: tuple[Granted, ...]
    reuses: int
    """How often a used refresh token came; each time, all of its grant was revoked."""

    @property
    def refreshes(self) -> tuple[Seen, ...]:
        """The calls that renewed a token."""
        return tuple(
            call for call in self.calls if call.grant_type == "refresh_token" and not call.error
        )


@attrs.frozen
class OidcProvider:
    """A provider that runs."""

    issuer: str
    secret: str = attrs.field(repr=False)
    """The secret of the clients that have one."""

    _http: aiohttp.ClientSession = attrs.field(repr=False)

    def client_secret(self, method: Method) -> str | None:
        """The secret of this client."""
        return None if method == "none" else self.secret

    async def consent(self, authorization_url: str, *, deny: bool = False) -> str:
        """Do what a person does in a browser, and say to which address it was sent in the end."""
        url = f"{authorization_url}&{urlencode({'consent': 'deny'})}" if deny else authorization_url
        # A browser of its own for each consent, or the second one would find the first one's login.
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
            for _ in range(_REDIRECTS):
                async with browser.get(url, allow_redirects=False) as answer:
                    assert answer.status in {302, 303}, f"{url}: {await answer.text()}"
                    url = urljoin(url, answer.headers["Location"])
                if not url.startswith(self.issuer):
                    return url
        raise AssertionError(f"no end of redirects, the last one is to {url}")

    async def me(self, access_token: str) -> int:
        """The status that the API of the provider answers to a token: 200, or 401."""
        bearer = {"Authorization": f"Bearer {access_token}"}
        async with self._http.get(f"{self.issuer}/me", headers=bearer) as answer:
            return answer.status

    async def fail(self, *faults: Fault, repeat: bool = False) -> None:
        """Let these happen to the next token calls, one to each, with `repeat` again and again."""
        await self._post("fault", {"faults": [_told(fault) for fault in faults], "repeat": repeat})

    async def revoke(self, grant: str) -> None:
        """Take a grant back, as its account would in the provider's settings."""
        await self._post("revoke", {"grant": grant})

    async def log(self) -> Log:
        """Say what has happened so far."""
        async with self._http.get(f"{self.issuer}/__test__/log") as answer:
            told = await answer.json()
        names = [field.name for field in attrs.fields(Seen)]
        calls = (
            Seen(**{name: call[name] for name in names if name in call}) for call in told["calls"]
        )
        grants = (
            Granted(grant["id"], grant["client"], tuple(grant["chain"]), grant["alive"])
            for grant in told["grants"]
        )
        return Log(tuple(calls), tuple(grants), told["reuses"])

    async def in_flight(self, *, committed: bool) -> Seen:
        """Wait for a call that has no answer yet and that the provider has, or has not, executed.

        It takes a `Fault` with a delay for one to be seen.
        """
        with anyio.fail_after(_PATIENCE):
            while True:
                for call in (await self.log()).calls:
                    if call.ended is None and (call.committed is not None) == committed:
                        return call
                await anyio.sleep(_POLL)

    async def refreshed(self, times: int) -> None:
        """Wait until tokens have been renewed so many times."""
        with anyio.fail_after(_PATIENCE):
            while len((await self.log()).refreshes) < times:  # noqa: ASYNC110 - it tells nobody.
                await anyio.sleep(_POLL)

    async def _post(self, route: str, body: Mapping[str, object]) -> None:
        async with self._http.post(f"{self.issuer}/__test__/{route}", json=body) as answer:
            assert answer.status == 200, await answer.text()


@asynccontextmanager
async def oidc_provider(
    *, access_tokens: int = 3600, redirect_uris: Sequence[str]
) -> AsyncIterator[OidcProvider]:
    """Start one whose access tokens live so many seconds; it has ended when this is left."""
    options = {"accessTokens": access_tokens, "redirectUris": list(redirect_uris)}
    environment = {NODE_MODULES: os.environ[NODE_MODULES], "NODE_ENV": "production"}
    node = shutil.which("node")
    assert node is not None, "there is no Node.js on the PATH"
    command = [node, str(_SERVER), json.dumps(options)]
    async with running(command, environment) as process, aiohttp.ClientSession() as http:
        assert process.stdout is not None
        with anyio.fail_after(_PATIENCE):
            line = await BufferedByteReceiveStream(process.stdout).receive_until(
                b"\n", _LONGEST_LINE
            )
        told = json.loads(line)
        yield OidcProvider(told["issuer"], told["secret"], http)


def _told(fault: Fault) -> dict[str, object]:
    return {name: value for name, value in attrs.asdict(fault).items() if value is not None}
