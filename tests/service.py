"""A stand-in for the service, in the words of the protocol, for tests with the mock transport."""

from collections.abc import Callable

from connectors import Client
from transports import Request, Response
from transports.mock import Handler, MockTransport, json_response

SERVER = "https://base44.app"
APP = f"{SERVER}/api/apps/my-app"
SLACK = f"{APP}/external-auth/tokens/slack"

# Planted, so that a test can look for them where they must not be.
SERVICE_TOKEN = "service-token-4e1fb7d0a2"
USER_TOKEN = "user-token-9c57a6e3b1"
API_KEY = "b44k_workspace-key-55d0c1"
ACCESS_TOKEN = "xoxp-2041-7a32f8e6c4d1"
PLANTED = (SERVICE_TOKEN, USER_TOKEN, API_KEY, ACCESS_TOKEN)

CONNECTED = {"access_token": ACCESS_TOKEN, "integration_type": "slack", "connection_config": None}


def answers(data: object, status: int = 200, **headers: str) -> MockTransport:
    """A service that gives the same answer to everything."""
    return MockTransport(lambda _: json_response(data, status, headers))


def counted(transport: MockTransport) -> list[str]:
    """What was asked, in order."""
    return [f"{call.request.method} {call.request.url}" for call in transport.calls]


def client(transport: MockTransport | Handler, **settings: object) -> Client:
    """A client with all credentials; settings replace them."""
    if not isinstance(transport, MockTransport):
        transport = MockTransport(transport)
    defaults: dict[str, object] = {
        "app_id": "my-app",
        "service_token": SERVICE_TOKEN,
        "user_token": USER_TOKEN,
        "api_key": API_KEY,
    }
    return Client(transport=transport, **{**defaults, **settings})  # type: ignore[arg-type]


def in_turn(*responses: Response | Exception) -> Callable[[Request], Response]:
    """Gives each of these once."""
    left = list(responses)

    def handler(_: Request) -> Response:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return handler
