"""An asyncio program, as its author would write it: no anyio in sight."""

import asyncio

import pytest

from connectors import Client, NotConnectedError, UnreachableError
from transports.mock import MockTransport, json_response

TOKENS = "/api/apps/my-app/external-auth/tokens"


def service() -> MockTransport:
    transport = MockTransport()
    transport.route("GET", f"{TOKENS}/slack", json_response({"access_token": "xoxp-1"}))
    missing = {"detail": "Connector connection not found", "code": "NOT_FOUND"}
    transport.route("GET", f"{TOKENS}/github", json_response(missing, 404))
    return transport


def test_a_program() -> None:
    async def main() -> str:
        async with Client(app_id="my-app", service_token="s", transport=service()) as base44:
            connection = await base44.as_service_role.connectors.get_connection("slack")
            return connection.access_token

    assert asyncio.run(main()) == "xoxp-1"


def test_gather_and_wait_for() -> None:
    transport = service()

    async def main() -> list[str]:
        async with Client(app_id="my-app", service_token="s", transport=transport) as base44:
            get = base44.as_service_role.connectors.get_connection
            calls = [asyncio.wait_for(get("slack"), 5) for _ in range(100)]
            return [connection.access_token for connection in await asyncio.gather(*calls)]

    assert set(asyncio.run(main())) == {"xoxp-1"}
    assert len(transport.calls) == 1


def test_asyncio_timeout_bounds_one_call() -> None:
    async def slow(_: object) -> object:
        await asyncio.sleep(60)
        raise AssertionError

    async def main() -> None:
        transport = MockTransport(slow)  # type: ignore[arg-type]
        async with Client(app_id="my-app", service_token="s", transport=transport) as base44:
            async with asyncio.timeout(0.01):
                await base44.as_service_role.connectors.get_connection("slack")

    with pytest.raises(TimeoutError):
        asyncio.run(main())


def test_an_error_says_what_to_do() -> None:
    async def main() -> None:
        async with Client(app_id="my-app", service_token="s", transport=service()) as base44:
            await base44.as_service_role.connectors.get_connection("github")

    with pytest.raises(NotConnectedError) as caught:
        asyncio.run(main())
    assert (caught.value.status, caught.value.code) == (404, "NOT_FOUND")
    assert "Connect the integration first" in str(caught.value)


def test_one_client_in_two_runs_of_a_loop() -> None:
    base44 = Client(app_id="my-app", service_token="s", transport=service())

    async def main() -> str:
        return (await base44.as_service_role.connectors.get_connection("slack")).access_token

    assert [asyncio.run(main()), asyncio.run(main())] == ["xoxp-1", "xoxp-1"]


def test_ctrl_c_ends_a_program_and_leaves_nothing_behind() -> None:
    async def interrupted(_: object) -> object:
        raise KeyboardInterrupt

    async def main() -> None:
        transport = MockTransport(interrupted)  # type: ignore[arg-type]
        async with Client(app_id="my-app", service_token="s", transport=transport) as base44:
            await base44.as_service_role.connectors.get_connection("slack")

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())


def test_a_server_that_is_not_there() -> None:
    async def main() -> None:
        async with Client(
            app_id="my-app", service_token="s", server_url="http://127.0.0.1:1", retry=False
        ) as base44:
            await base44.as_service_role.connectors.get_connection("slack")

    with pytest.raises(UnreachableError, match="Check the network and server_url") as caught:
        asyncio.run(main())
    assert not caught.value.maybe_sent
