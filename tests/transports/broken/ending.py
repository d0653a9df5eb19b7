"""They end late, or with the wrong words, where no answer comes."""

import anyio
import anyio.lowlevel

from tests.transports.broken.honest import URL, Honest, breaks, changed, error_of
from transports import (
    DisconnectedError,
    ProtocolError,
    ReadTimeoutError,
    Request,
    Response,
)
from transports.testing import _endings as endings


@breaks(endings.ends_cancelled)
class MakesAnErrorOfIt(Honest):
    async def send(self, request: Request, /) -> Response:
        try:
            return await super().send(request)
        except anyio.get_cancelled_exc_class():
            error = error_of(request, DisconnectedError)
        raise error


@breaks(endings.ends_cancelled)
class TakesItsTime(Honest):
    async def send(self, request: Request, /) -> Response:
        try:
            return await super().send(request)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.06)


@breaks(endings.ends_cancelled)
class LosesTheConnection(Honest):
    lost = False

    async def send(self, request: Request, /) -> Response:
        if self.lost:
            await anyio.sleep_forever()
        try:
            return await super().send(request)
        except anyio.get_cancelled_exc_class():
            self.lost = True
            raise


@breaks(endings.ends_cancelled)
class LosesAConnectionEachTime(Honest):
    free = 3

    async def send(self, request: Request, /) -> Response:
        if not self.free:
            raise error_of(request, DisconnectedError)
        try:
            return await super().send(request)
        except anyio.get_cancelled_exc_class():
            self.free -= 1
            raise


@breaks(endings.ends_at_its_deadline)
class IsLate(Honest):
    async def send(self, request: Request, /) -> Response:
        late = request.deadline - anyio.current_time() < 0
        return await super().send(changed(request, deadline=request.deadline + (0 if late else 2)))


@breaks(endings.ends_at_its_deadline)
class RaisesTheBuiltIn(Honest):
    async def send(self, request: Request, /) -> Response:
        try:
            return await super().send(request)
        except ReadTimeoutError:
            pass
        raise TimeoutError


@breaks(endings.ends_at_its_deadline)
class SaysThatItWasNotSent(Honest):
    async def send(self, request: Request, /) -> Response:
        try:
            return await super().send(request)
        except ReadTimeoutError as error:
            error.maybe_sent = False
            raise


@breaks(endings.ends_at_its_deadline)
class SaysThatItWaitedForAConnection(Honest):
    async def send(self, request: Request, /) -> Response:
        try:
            return await super().send(request)
        except ReadTimeoutError as error:
            error.phase = "pool"
            raise


@breaks(endings.ends_at_its_deadline)
class LosesTheConnectionAtADeadline(Honest):
    lost = False

    async def send(self, request: Request, /) -> Response:
        if self.lost:
            raise error_of(request, DisconnectedError)
        try:
            return await super().send(request)
        except ReadTimeoutError:
            self.lost = True
            raise


@breaks(endings.sends_nothing_after_its_deadline)
class SendsAllTheSame(Honest):
    async def send(self, request: Request, /) -> Response:
        if request.deadline < anyio.current_time():
            with anyio.move_on_after(0.01):
                await self.handler(request)
            raise error_of(request, ReadTimeoutError, maybe_sent=False)
        return await super().send(request)


@breaks(endings.sends_nothing_after_its_deadline)
class FearsThatItWasSentInTime(Honest):
    async def send(self, request: Request, /) -> Response:
        if request.deadline < anyio.current_time():
            raise error_of(request, ReadTimeoutError)
        return await super().send(request)


@breaks(endings.sends_nothing_after_its_deadline)
class NeverRecoversFromALateOne(Honest):
    late = False

    async def send(self, request: Request, /) -> Response:
        if self.late:
            raise error_of(request, DisconnectedError)
        self.late = request.deadline < anyio.current_time()
        return await super().send(request)


@breaks(endings.raises_its_own_errors)
class RaisesWhatItGets(Honest):
    async def send(self, request: Request, /) -> Response:
        try:
            return await super().send(request)
        except DisconnectedError:
            pass
        raise ConnectionResetError


@breaks(endings.raises_its_own_errors)
class TakesAllForADisconnect(Honest):
    async def send(self, request: Request, /) -> Response:
        try:
            return await super().send(request)
        except ProtocolError:
            pass
        raise error_of(request, DisconnectedError)


@breaks(endings.raises_its_own_errors)
class SaysThatItCanBeSentAgain(Honest):
    async def send(self, request: Request, /) -> Response:
        try:
            return await super().send(request)
        except DisconnectedError as error:
            error.maybe_sent = False
            raise


@breaks(endings.raises_its_own_errors)
class KnowsNoPhase(Honest):
    async def send(self, request: Request, /) -> Response:
        try:
            return await super().send(request)
        except DisconnectedError as error:
            error.phase = "send"
            raise


@breaks(endings.raises_its_own_errors)
class NamesAnotherRequest(Honest):
    async def send(self, request: Request, /) -> Response:
        try:
            return await super().send(request)
        except DisconnectedError as error:
            error.url = URL
            raise


@breaks(endings.raises_its_own_errors)
class NeverRecovers(Honest):
    failure: ProtocolError | None = None

    async def send(self, request: Request, /) -> Response:
        if self.failure is not None and (request.method, request.url) == ("GET", f"{URL}/"):
            raise self.failure
        try:
            return await super().send(request)
        except ProtocolError as error:
            self.failure = error
            raise
