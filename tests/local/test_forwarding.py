"""A call of a provider's API has one deadline, whatever has to be done for it."""

from pathlib import Path

import anyio
import pytest

from connectors.local._calls import read_call
from connectors.local._forwarding import Forwarder
from tests.local.backends import told
from tests.local.refresh.providers import ACCESS, REFRESH, TYPE, World, world
from tests.loops import REAL, on
from transports import Request, Response

pytestmark = on(REAL)

API = "https://api.box.com/2.0/users/me"
CALL = read_call(b'{"path": "/2.0/users/me"}')
DEADLINE = 0.3


async def status_of(it: World) -> object:
    """The status that the provider's API has given, for a client that waits not much longer."""
    forwarder = Forwarder(it.keeper, it.transport, deadline=DEADLINE)
    with anyio.fail_after(5):
        response = await forwarder.forward(CALL, it.catalog[TYPE], await it.row())
    answer = told(response)
    assert isinstance(answer, dict)
    return answer["status_code"]


async def test_a_refusal_is_the_result_when_the_renewal_takes_longer_than_the_call_may(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        it.transport.route("GET", API, lambda _: Response(401))
        may_answer = anyio.Event()

        async def when_told(request: Request) -> Response:
            await may_answer.wait()
            return it.provider.renew(request)

        it.provider.next = [when_told]
        assert await status_of(it) == 401
        assert it.provider.presented == [REFRESH]
        may_answer.set()


async def test_what_is_left_of_the_deadline_is_for_the_second_attempt(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        await it.connect()
        deadlines = []

        def refuse_the_old(request: Request) -> Response:
            deadlines.append(request.deadline)
            return Response(401 if request.headers["authorization"].endswith(ACCESS) else 200)

        it.transport.route("GET", API, refuse_the_old)
        assert await status_of(it) == 200
        first, second = deadlines
        assert first == second == pytest.approx(anyio.current_time() + DEADLINE, abs=DEADLINE)
