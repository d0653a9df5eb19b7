"""They know one event loop and one process, and not that there are others."""

import mmap
import os

import anyio
import anyio.lowlevel

from tests.transports.broken.honest import Honest, breaks, error_of
from transports import (
    DisconnectedError,
    ProtocolError,
    Request,
    Response,
    WrongEventLoopError,
)
from transports.testing import Handler
from transports.testing import _forks as forks
from transports.testing import _loops as loops


class Bound(Honest):
    """Knows which loop it was used in first."""

    loop: object = None

    async def send(self, request: Request, /) -> Response:
        here = anyio.lowlevel.current_token().native_token
        self.loop = self.loop or here
        if self.loop is not here:
            await self.elsewhere(request)
        return await super().send(request)

    async def elsewhere(self, request: Request) -> None:
        raise NotImplementedError


@breaks(loops.works_in_a_second_loop)
class IsAttachedToAnotherLoop(Bound):
    async def elsewhere(self, request: Request) -> None:
        raise RuntimeError("attached to a different loop")


@breaks(loops.works_in_a_second_loop)
class WaitsForAnotherLoop(Bound):
    async def elsewhere(self, request: Request) -> None:
        await anyio.sleep_forever()


@breaks(loops.works_in_a_second_loop)
class FearsThatItWasSentElsewhere(Bound):
    async def elsewhere(self, request: Request) -> None:
        raise error_of(request, WrongEventLoopError)


@breaks(loops.works_in_a_second_loop)
class FailsBesideItsFirstLoop(Bound):
    async def elsewhere(self, request: Request) -> None:
        if request.url.endswith("/second"):
            raise RuntimeError("attached to a different loop")
        raise error_of(request, WrongEventLoopError, "pool", maybe_sent=False)


@breaks(loops.works_in_a_second_loop)
class LeavesItsFirstLoop(Bound):
    async def elsewhere(self, request: Request) -> None:
        if request.url.endswith("/fourth"):
            raise error_of(request, WrongEventLoopError, "pool", maybe_sent=False)
        self.loop = anyio.lowlevel.current_token().native_token


@breaks(loops.works_in_a_second_loop)
class WaitsForItsSecondLoop(Bound):
    async def elsewhere(self, request: Request) -> None:
        if request.url.endswith("/fourth"):
            await anyio.sleep_forever()
        self.loop = anyio.lowlevel.current_token().native_token


@breaks(loops.works_in_a_second_loop)
class FailsInItsFirstLoop(Honest):
    async def send(self, request: Request, /) -> Response:
        if request.url.endswith("/first"):
            raise error_of(request, ProtocolError)
        return await super().send(request)


@breaks(loops.works_in_a_second_loop)
class MissesItsLastLoop(Bound):
    async def elsewhere(self, request: Request) -> None:
        if request.url.endswith("/1"):
            raise RuntimeError("Event loop is closed")
        raise error_of(request, WrongEventLoopError, "pool", maybe_sent=False)


class Forked(Honest):
    """Knows which process it was made in."""

    def __init__(self, handler: Handler) -> None:
        super().__init__(handler)
        self.process = os.getpid()

    async def send(self, request: Request, /) -> Response:
        if self.process != os.getpid():
            await self.in_the_child(request)
        return await super().send(request)

    async def in_the_child(self, request: Request) -> None:
        pass


@breaks(forks.works_after_a_fork)
class FailsBeforeAFork(Honest):
    async def send(self, request: Request, /) -> Response:
        if request.url.endswith("/before"):
            raise error_of(request, ProtocolError)
        return await super().send(request)


@breaks(forks.works_after_a_fork)
class FailsInAChild(Forked):
    async def in_the_child(self, request: Request) -> None:
        raise error_of(request, DisconnectedError)


@breaks(forks.works_after_a_fork)
class HangsInAChild(Forked):
    async def in_the_child(self, request: Request) -> None:
        await anyio.sleep_forever()


@breaks(forks.works_after_a_fork)
class DiesInAChild(Forked):
    async def in_the_child(self, request: Request) -> None:
        os._exit(1)


@breaks(forks.works_after_a_fork)
class HangsInAChildWhenClosed(Forked):
    async def aclose(self) -> None:
        if self.process != os.getpid():
            await anyio.sleep_forever()
        await super().aclose()


@breaks(forks.works_after_a_fork)
class CannotBeClosedInAChild(Forked):
    async def aclose(self) -> None:
        if self.process != os.getpid():
            raise RuntimeError("Event loop is closed")
        await super().aclose()


@breaks(forks.works_after_a_fork)
class ClosesForTheParentInAChild(Forked):
    def __init__(self, handler: Handler) -> None:
        super().__init__(handler)
        self.shared = mmap.mmap(-1, 1)

    async def send(self, request: Request, /) -> Response:
        if self.shared[0]:
            raise error_of(request, DisconnectedError)
        return await super().send(request)

    async def aclose(self) -> None:
        self.shared[0] = self.process != os.getpid()
        await super().aclose()
