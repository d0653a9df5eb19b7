"""What the checks stand behind a transport, and how they send while they do something else."""

from typing import Final, final

import anyio

from transports._base import Request, Response, Transport
from transports._errors import DisconnectedError, Phase, ProtocolError, TransportError
from transports.testing._promise import outcome


@final
class Recorder:
    """Answers every request alike, and keeps what came."""

    def __init__(self, answer: Response | None = None) -> None:
        self._answer = answer or Response(200)
        self.requests: list[Request] = []

    async def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        return self._answer


async def echo(request: Request) -> Response:
    """Answer with the URL, so that no answer can be taken for that to another request."""
    return Response(200, body=request.url.encode())


@final
class Stuck:
    """Never answers, but to `/quick`; says when it was asked."""

    def __init__(self) -> None:
        self.asked = anyio.Event()
        self.urls: set[str] = set()

    async def __call__(self, request: Request) -> Response:
        if request.url.endswith("/quick"):
            return Response(200, body=b"quick")
        self.urls.add(request.url)
        self.asked.set()
        while True:
            await anyio.sleep_forever()


FAULTS: Final[dict[str, tuple[type[TransportError], Phase]]] = {
    "/no-answer": (DisconnectedError, "headers"),
    "/half-an-answer": (DisconnectedError, "body"),
    "/no-http": (ProtocolError, "headers"),
}
"""What can become of a request but an answer, by its path."""


@final
class Faulty:
    """Does what the path of a request says: one of the faults, or an answer; keeps the URLs."""

    def __init__(self) -> None:
        self.urls: list[str] = []

    async def __call__(self, request: Request) -> Response:
        self.urls.append(request.url)
        for path, (kind, phase) in FAULTS.items():
            if path in request.url:
                raise kind(
                    "The server breaks off",
                    method=request.method,
                    url=request.url,
                    phase=phase,
                    maybe_sent=True,
                )
        return Response(200, body=b"ok")


@final
class Sending:
    """A `send` that runs in a task of its own."""

    def __init__(self, transport: Transport, request: Request, stuck: Stuck) -> None:
        self._transport = transport
        self.request = request
        self._stuck = stuck
        self.outcome: Response | Exception | None = None
        """What it returned or raised; None as long as it runs, and when it was cancelled."""
        self.ended = anyio.Event()
        self.ended_at = 0.0

    async def run(self) -> None:
        """Send, in a task."""
        try:
            self.outcome = await outcome(self._transport, self.request)
        finally:
            self.ended_at = anyio.current_time()
            self.ended.set()
            self._stuck.asked.set()  # Nobody waits for a request that comes no more.
