"""A trio program, as its author would write it: no anyio in sight."""

import pytest
import trio

from connectors import Client, NotConnectedError
from transports.mock import MockTransport, json_response


def test_a_program() -> None:
    transport = MockTransport(lambda _: json_response({"access_token": "xoxp-1"}))

    async def main() -> None:
        async with (
            Client(app_id="my-app", service_token="s", transport=transport) as base44,
            trio.open_nursery() as nursery,
        ):
            for _ in range(100):
                nursery.start_soon(base44.as_service_role.connectors.get_connection, "slack")

    trio.run(main)
    assert len(transport.calls) == 1


def test_trio_cancels_one_call() -> None:
    async def slow(_: object) -> object:
        await trio.sleep_forever()
        raise AssertionError

    async def main() -> bool:
        transport = MockTransport(slow)  # type: ignore[arg-type]
        async with Client(app_id="my-app", service_token="s", transport=transport) as base44:
            with trio.move_on_after(0.01) as scope:
                await base44.as_service_role.connectors.get_connection("slack")
        return scope.cancelled_caught

    assert trio.run(main)


def test_an_error_is_no_group() -> None:
    missing = json_response({"detail": "Not found", "code": "NOT_FOUND"}, 404)

    async def main() -> None:
        transport = MockTransport(lambda _: missing)
        async with Client(app_id="my-app", service_token="s", transport=transport) as base44:
            await base44.as_service_role.connectors.get_connection("slack")

    with pytest.raises(NotConnectedError):
        trio.run(main)
