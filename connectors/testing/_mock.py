"""What a test has in hand: connections in its own words, and a client that gets them.

The service stands behind a `MockTransport` as its handler, so all of the client runs, and a test
may put routes of its own before it.
"""

from collections.abc import Mapping, Sequence
from typing import Final, final

from connectors._client import DEFAULT_TIMEOUT, Client
from connectors._retry import RetryPolicy
from connectors.testing._scripts import Given, scripts_of
from connectors.testing._service import Service, checked_api
from transports import UnmatchedRequestError
from transports.mock import MockTransport

_NOTHING: Final[Mapping[str, Given]] = {}


@final
class MockConnectors:
    """Connections in the test's own words, and a client that gets them.

    ```python
    mock = MockConnectors({"slack": "xoxb-test", "github": NOT_CONNECTED})
    await my_program(mock.client)
    mock["github"] = "gho_test"
    ```

    A name serves `get_connection`, `get_workspace_connection` and
    `get_current_app_user_connection`. What a connector answers is one of:

    - its token;
    - the connection as the wire has it, `{"access_token": ..., "connection_config": {...}}`, or a
      `Connection`;
    - a word: `NOT_CONNECTED`, `EXPIRED`, `METERED`, `RATE_LIMITED` and the others;
    - what a route of a `MockTransport` answers with: a response, an error, a function, a fault;
    - a list or tuple of these, each of which is given once, in turn.

    Disconnecting works, too, and `list_connectors` and `available_integrations` tell what is given.

    Args:
        connections: The connectors by name or id.
        app_id: The id of the app.
        api: What `call_api` answers, by connector: the provider's answer as JSON data or as a
            `Response`; a function that makes such a `Response` of the request, whose body is the
            call as JSON; the whole outcome as an `ApiResponse`; a word, or an error to raise. A
            connector that can't be used answers as it does elsewhere, but for `METERED`.
        timeout: As for `Client`.
        retry: As for `Client`.

    Raises:
        TypeError, ValueError: A connector can't answer like that; the message holds no token.
    """

    client: Client
    """The client. It has a service token, a user token and an API key; nothing has to be closed."""

    transport: MockTransport
    """What its requests go through: its `calls` are a log, and `route` goes before all else."""

    api: dict[str, object]
    """What `call_api` answers, to be changed on the way, too."""

    requested: list[str]
    """The names of the connectors that were asked for, in order, each attempt by itself."""

    def __init__(
        self,
        connections: Mapping[str, Given | Sequence[Given]] = _NOTHING,
        *,
        app_id: str = "test-app",
        api: Mapping[str, object] | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        retry: RetryPolicy | bool = True,
    ) -> None:
        scripts = scripts_of(connections)
        del connections  # A traceback shows the arguments of this frame.
        if isinstance(scripts, Exception):
            raise scripts
        self.api = checked_api(api)
        self._service = Service(scripts, self.api)
        self.requested = self._service.requested
        self.transport = MockTransport(self._service.handle)
        self.client = Client(
            app_id=app_id,
            service_token="test-service-token",  # noqa: S106 - it opens nothing.
            user_token="test-user-token",  # noqa: S106 - the same.
            api_key="test-api-key",
            server_url="https://base44.test",
            transport=self.transport,
            timeout=timeout,
            retry=retry,
        )

    def __setitem__(self, name: str, given: Given | Sequence[Given]) -> None:
        """Let a connector answer otherwise from now on.

        Raises:
            TypeError, ValueError: It can't answer like that; the message holds no token.
        """
        scripts = scripts_of({name: given})
        del given  # A traceback shows the arguments of this frame.
        if isinstance(scripts, Exception):
            raise scripts
        self._service.scripts |= scripts

    def __repr__(self) -> str:
        names = ", ".join(map(repr, self._service.scripts))
        return f"<MockConnectors {names or 'without connectors'}>"

    def assert_nothing_unexpected(self) -> None:
        """Check that all was answered that was asked, also where the program swallowed the error.

        Raises:
            UnmatchedRequestError: Something was not. It is told once: a second call is about what
                came since.
        """
        unexpected = self._service.take_unexpected()
        if unexpected:
            raise UnmatchedRequestError("\n".join(unexpected))


def mock_client(
    connections: Mapping[str, Given | Sequence[Given]],
    *,
    app_id: str = "test-app",
    api: Mapping[str, object] | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    retry: RetryPolicy | bool = True,
) -> Client:
    """A client whose connections are in the test's own words.

    ```python
    base44 = mock_client({"slack": "xoxb-test", "github": NOT_CONNECTED, "stripe": METERED})
    ```

    It is the client of a `MockConnectors`, which says what the arguments may be, and is what to
    take where a test looks at what was asked, or changes a connection on the way.

    Raises:
        TypeError, ValueError: A connector can't answer like that; the message holds no token.
    """
    scripts = scripts_of(connections)
    del connections  # A traceback shows the arguments of this frame.
    if isinstance(scripts, Exception):
        raise scripts
    mock = MockConnectors(app_id=app_id, api=api, timeout=timeout, retry=retry)
    mock._service.scripts |= scripts  # noqa: SLF001 - its own.
    return mock.client
