"""Every transport of the project keeps every promise, on every event loop."""

import pytest

from tests.loops import REAL, on
from tests.transports.harnesses import KINDS, Kind
from transports import Request, Transport
from transports.testing import Promise
from transports.testing._handlers import echo

EACH = [
    pytest.param(
        backend.values[0],  # type: ignore[attr-defined]
        kind,
        promise,
        id=f"{kind.name}-{backend.id}-{promise}",  # type: ignore[attr-defined]
    )
    for kind in KINDS
    for backend in kind.backends
    for promise in kind.promises
]


@pytest.mark.parametrize(("anyio_backend", "kind", "promise"), EACH, indirect=["anyio_backend"])
async def test_a_promise_is_kept(kind: Kind, promise: Promise) -> None:
    await promise.check(kind.serve)


@on(REAL)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_an_answer_names_the_kind_of_transport(kind: Kind) -> None:
    async with kind.serve(echo) as (transport, url):
        assert isinstance(transport, Transport)
        response = await transport.send(Request("GET", f"{url}/"))
    assert response.source == kind.source
