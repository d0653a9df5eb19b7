"""The two SDKs behind one interface: a call goes in, what came of it comes out as a value.

What comes out is written the way the official SDK writes it, so that two outcomes are equal exactly
when a program that is moved from one SDK to the other sees no difference.
"""

import json
import os
import shutil
import warnings
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Literal, TypeAlias

import attrs
from anyio.abc import ByteSendStream
from anyio.streams.buffered import BufferedByteReceiveStream

from connectors import ApiResponse, Client, ClientUsageError, Connection, ConnectorsError
from tests.conformance.processes import running

NODE_MODULES: Final = "BASE44_CONFORMANCE_NODE_MODULES"
"""The environment variable that says where the official SDK is installed."""

_DRIVER: Final = Path(__file__).with_name("driver.mjs")
_LONGEST_LINE: Final = 1024 * 1024

Scope: TypeAlias = Literal["service", "user"]


@attrs.frozen
class Call:
    """A method of the connectors module, by its name in Python, and its arguments."""

    scope: Scope
    method: str
    args: tuple[object, ...]

    def __str__(self) -> str:
        return f"{self.method}({', '.join(map(repr, self.args))})"


def service(method: str, *args: object) -> Call:
    """A call with the app's service token."""
    return Call("service", method, args)


def user(method: str, *args: object) -> Call:
    """A call with the token of an app user."""
    return Call("user", method, args)


CALLS: Final = {
    "get_connection": service("get_connection", "slack"),
    "get_access_token": service("get_access_token", "slack"),
    "get_workspace_connection": service("get_workspace_connection", "c-1"),
    "get_current_app_user_connection": service("get_current_app_user_connection", "c-1"),
    "get_current_app_user_access_token": service("get_current_app_user_access_token", "c-1"),
    "call_api": service("call_api", "slack", {"path": "/api/conversations.list"}),
    "connect_app_user": user("connect_app_user", "c-1"),
    "disconnect_app_user": user("disconnect_app_user", "c-1"),
}
"""Every method once, with identifiers that are like those in use."""


@attrs.frozen
class Settings:
    """What a client is made with."""

    server_url: str
    app_id: str = "my-app"
    service_token: str | None = "service-token"
    user_token: str | None = "user-token"
    headers: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Incoming:
    """The header fields of a request that a client is made from."""

    headers: Mapping[str, str]


Identity: TypeAlias = Settings | Incoming


@attrs.frozen
class Success:
    """What a call returned."""

    value: object


@attrs.frozen
class Failure:
    """The error that the service's answer became."""

    message: str
    status: int | None
    code: str | None
    data: object = None


@attrs.frozen
class Refused:
    """The call was refused by the SDK itself, in words of its own."""

    message: str = attrs.field(eq=False)


Outcome: TypeAlias = Success | Failure | Refused


class Official:
    """The official SDK, in a process of Node.js that lives as long as the tests of a module."""

    def __init__(self, send: ByteSendStream, receive: BufferedByteReceiveStream) -> None:
        self._send = send
        self._receive = receive

    async def __call__(self, call: Call, identity: Identity) -> Outcome:
        line = {
            "client": _create_client(identity) if isinstance(identity, Settings) else None,
            "request": dict(identity.headers) if isinstance(identity, Incoming) else None,
            "scope": call.scope,
            "method": _camel_case(call.method),
            "args": call.args,
        }
        await self._send.send(json.dumps(line).encode() + b"\n")
        return _told(json.loads(await self._receive.receive_until(b"\n", _LONGEST_LINE)))


@asynccontextmanager
async def official_sdk() -> AsyncIterator[Official]:
    """Start the driver; it has ended when this is left."""
    # Nothing else of this environment: a proxy or a debugger would get between.
    environment = {NODE_MODULES: os.environ[NODE_MODULES], "NODE_ENV": "production"}
    node = shutil.which("node")
    assert node is not None, "there is no Node.js on the PATH"
    async with running([node, str(_DRIVER)], environment) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Official(process.stdin, BufferedByteReceiveStream(process.stdout))


async def ours(call: Call, identity: Identity, *, always_on_behalf_of: bool = False) -> Outcome:
    """Make a call with this project's client, over its own transport and without a second try."""
    try:
        made = _client(identity, always_on_behalf_of=always_on_behalf_of)
    except (TypeError, ValueError) as error:
        return Refused(str(error))
    async with made as client:
        try:
            return Success(_as_official(await _made(client, call)))
        except (ClientUsageError, TypeError, ValueError) as error:
            return Refused(str(error))
        except ConnectorsError as error:
            return Failure(error.message, error.status, error.code, error.data)


def _client(identity: Identity, *, always_on_behalf_of: bool) -> Client:
    if isinstance(identity, Incoming):
        return Client.from_request(identity.headers, retry=False)
    return Client(
        app_id=identity.app_id,
        service_token=identity.service_token,
        user_token=identity.user_token,
        server_url=identity.server_url,
        headers=identity.headers,
        always_on_behalf_of=always_on_behalf_of,
        retry=False,
    )


async def _made(client: Client, call: Call) -> object:
    connectors = client.as_service_role.connectors if call.scope == "service" else client.connectors
    *identifiers, last = call.args
    fields = last if isinstance(last, dict) else {}
    positional = identifiers if isinstance(last, dict) else call.args
    with warnings.catch_warnings():
        # Two methods are deprecated in both SDKs.
        warnings.simplefilter("ignore", DeprecationWarning)
        returned: object = await getattr(connectors, call.method)(*positional, **fields)
    return returned


def _as_official(value: object) -> object:
    match value:
        case Connection():
            config = value.connection_config
            return {
                "accessToken": value.access_token,
                "connectionConfig": None if config is None else dict(config),
            }
        case ApiResponse():
            return {
                "success": value.success,
                "phase": value.phase,
                "status": value.status,
                "data": value.data,
                "dataBase64": value.data_base64,
                "contentType": value.content_type,
                "headers": dict(value.headers),
                "creditsCharged": value.credits_charged,
            }
        case _:
            return value


def _create_client(settings: Settings) -> dict[str, object]:
    return {
        "serverUrl": settings.server_url,
        "appId": settings.app_id,
        "serviceToken": settings.service_token,
        "token": settings.user_token,
        "headers": dict(settings.headers),
    }


def _told(line: dict[str, dict[str, object]]) -> Outcome:
    error = line.get("error")
    if error is None:
        return Success(line["value"])
    name = error.pop("name")
    # The official SDK has one class for what came of a request, and plain errors for refusals.
    return Failure(**error) if name == "Base44Error" else Refused(str(error["message"]))  # type: ignore[arg-type]


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.title, others))
