"""They close as they like."""

import anyio
import anyio.lowlevel

from tests.transports.broken.honest import Honest, breaks, error_of
from transports import (
    DisconnectedError,
    Request,
    Response,
    TransportClosedError,
)
from transports.testing import _closing as closing


@breaks(closing.sends_nothing_when_closed)
class ClosesOnlyWhatWasUsed(Honest):
    used = False

    async def send(self, request: Request, /) -> Response:
        self.used = True
        return await super().send(request)

    async def aclose(self) -> None:
        if self.used:
            await super().aclose()


@breaks(closing.sends_nothing_when_closed)
class SendsAndThenSaysSo(Honest):
    async def send(self, request: Request, /) -> Response:
        try:
            return await super().send(request)
        except TransportClosedError as error:
            if not error.maybe_sent:
                await self.handler(request)
            raise


@breaks(closing.sends_nothing_when_closed)
class SaysThatItWasClosedInBetween(Honest):
    async def send(self, request: Request, /) -> Response:
        try:
            return await super().send(request)
        except TransportClosedError as error:
            if not error.maybe_sent:
                error.phase = "connect"
            raise


@breaks(closing.sends_nothing_when_closed)
class FearsThatItWasSentBefore(Honest):
    async def send(self, request: Request, /) -> Response:
        try:
            return await super().send(request)
        except TransportClosedError as error:
            error.maybe_sent = True
            raise


@breaks(closing.closes_again)
class ClosesOnce(Honest):
    closed = False

    async def aclose(self) -> None:
        if self.closed:
            raise RuntimeError("closed already")
        await super().aclose()
        self.closed = True


@breaks(closing.closes_again)
class ClosesForOneAtATime(Honest):
    closing = False

    async def aclose(self) -> None:
        if self.closing:
            raise RuntimeError("somebody else is closing")
        self.closing = True
        await super().aclose()
        try:
            await anyio.lowlevel.checkpoint()
        finally:
            self.closing = False


@breaks(closing.ends_what_is_under_way)
class ClosesTheDoorOnly(Honest):
    closed = False

    async def send(self, request: Request, /) -> Response:
        if self.closed:
            raise error_of(request, TransportClosedError, "pool", maybe_sent=False)
        return await super().send(request)

    async def aclose(self) -> None:
        self.closed = True


@breaks(closing.ends_what_is_under_way)
class BreaksOff(Honest):
    async def send(self, request: Request, /) -> Response:
        try:
            return await super().send(request)
        except TransportClosedError as error:
            if not error.maybe_sent:
                raise
        raise error_of(request, DisconnectedError)


@breaks(closing.ends_what_is_under_way)
class SaysThatAllCanBeSentAgain(Honest):
    async def send(self, request: Request, /) -> Response:
        try:
            return await super().send(request)
        except TransportClosedError as error:
            error.maybe_sent = False
            raise


@breaks(closing.closes_when_cancelled)
class ClosesAfterAPause(Honest):
    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()
        await super().aclose()
