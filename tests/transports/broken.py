"""Transports that break one promise each, and are honest otherwise.

They are small and in memory; what they do wrong is what a transport over a network does wrong.
"""

import gzip
import logging
import mmap
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

import anyio
import anyio.lowlevel
import attrs
import structlog

from transports import (
    BodyTooLargeError,
    ConnectError,
    DisconnectedError,
    Headers,
    Phase,
    ProtocolError,
    ReadTimeoutError,
    Request,
    Response,
    Transport,
    TransportClosedError,
    TransportError,
    TransportTimeoutError,
    WrongEventLoopError,
)
from transports.mock import MockTransport
from transports.testing import Handler, Promise, Serve
from transports.testing import _answers as answers
from transports.testing import _closing as closing
from transports.testing import _endings as endings
from transports.testing import _forks as forks
from transports.testing import _loops as loops
from transports.testing import _requests as requests
from transports.testing import _secrets as secrets

URL = "https://service.example"


class Honest:
    """Keeps every promise."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.inner = MockTransport(handler)

    async def send(self, request: Request, /) -> Response:
        if not request.url.startswith(URL):
            raise error_of(request, ConnectError, "connect", maybe_sent=False)
        return await self.inner.send(request)

    async def aclose(self) -> None:
        await self.inner.aclose()


def error_of(
    request: Request,
    kind: type[TransportError],
    phase: Phase = "headers",
    *,
    maybe_sent: bool = True,
    message: str = "broken",
) -> TransportError:
    return kind(message, method=request.method, url=request.url, phase=phase, maybe_sent=maybe_sent)


def changed(
    request: Request,
    *,
    url: str = "",
    headers: Headers | None = None,
    body: bytes | None = None,
    deadline: float | None = None,
    max_body: int | None = None,
) -> Request:
    return Request(
        request.method,
        url or request.url,
        request.headers if headers is None else headers,
        request.body if body is None else body,
        deadline=request.deadline if deadline is None else deadline,
        max_body=request.max_body if max_body is None else max_body,
    )


@asynccontextmanager
async def serve_broken(
    kind: Callable[[Handler], Transport], handler: Handler
) -> AsyncIterator[tuple[Transport, str]]:
    transport = kind(handler)
    try:
        yield transport, URL
    finally:
        with suppress(Exception):
            await transport.aclose()


BREAKING: dict[Promise, list[type[Honest]]] = {}


def breaks(promise: Promise) -> Callable[[type[Honest]], type[Honest]]:
    """Say which promise a class does not keep."""

    def noted(kind: type[Honest]) -> type[Honest]:
        BREAKING.setdefault(promise, []).append(kind)
        return kind

    return noted


def serve(kind: type[Honest]) -> Serve:
    return partial(serve_broken, kind)


# What reaches the server.


@breaks(requests.arrives_as_it_is)
class TidiesUp(Honest):
    async def send(self, request: Request, /) -> Response:
        return await super().send(changed(request, url=request.url.replace("%2F", "/")))


@breaks(requests.arrives_as_it_is)
class ForgetsTheBody(Honest):
    async def send(self, request: Request, /) -> Response:
        return await super().send(changed(request, body=b""))


@breaks(requests.arrives_as_it_is)
class LeavesEmptyFieldsOut(Honest):
    async def send(self, request: Request, /) -> Response:
        filled = Headers(pair for pair in request.headers.fields if pair[1])
        return await super().send(changed(request, headers=filled))


@breaks(requests.repeats_fields)
class SendsAMapping(Honest):
    async def send(self, request: Request, /) -> Response:
        return await super().send(changed(request, headers=Headers(dict(request.headers.fields))))


@breaks(requests.repeats_fields)
class LowersOnlySomeNames(Honest):
    async def send(self, request: Request, /) -> Response:
        last = {name.lower(): name for name, _ in request.headers.fields}
        kept = (pair for pair in request.headers.fields if last[pair[0].lower()] == pair[0])
        return await super().send(changed(request, headers=Headers(kept)))


@breaks(requests.adds_nothing)
class SaysWhoItIs(Honest):
    async def send(self, request: Request, /) -> Response:
        named = request.headers.merged({"User-Agent": "broken/1"})
        return await super().send(changed(request, headers=named))


@breaks(requests.keeps_no_cookie)
class KeepsCookies(Honest):
    jar: tuple[str, ...] = ()

    async def send(self, request: Request, /) -> Response:
        cookies = Headers((*request.headers.fields, *(("Cookie", one) for one in self.jar)))
        response = await super().send(changed(request, headers=cookies))
        self.jar = response.headers.get_all("set-cookie")
        return response


@breaks(requests.follows_no_redirect)
class Follows(Honest):
    async def send(self, request: Request, /) -> Response:
        response = await super().send(request)
        target = response.headers.get("location")
        return await super().send(changed(request, url=URL + target)) if target else response


@breaks(requests.follows_no_redirect)
class HidesWhereTo(Honest):
    async def send(self, request: Request, /) -> Response:
        response = await super().send(request)
        fields = [pair for pair in response.headers.fields if pair[0] != "Location"]
        return attrs.evolve(response, headers=Headers(fields))


@breaks(requests.tries_once)
class TriesAgain(Honest):
    async def send(self, request: Request, /) -> Response:
        try:
            return await super().send(request)
        except DisconnectedError:
            if not request.idempotent:
                raise
        return await super().send(request)


@breaks(requests.tries_once)
class TriesAgainLater(Honest):
    async def send(self, request: Request, /) -> Response:
        response = await super().send(request)
        return await super().send(request) if "retry-after" in response.headers else response


@breaks(requests.says_that_nobody_listens)
class FearsThatItWasSent(Honest):
    async def send(self, request: Request, /) -> Response:
        if not request.url.startswith(URL):
            raise error_of(request, ConnectError, "connect")
        return await super().send(request)


@breaks(requests.says_that_nobody_listens)
class TakesAllForATimeout(Honest):
    async def send(self, request: Request, /) -> Response:
        if not request.url.startswith(URL):
            raise error_of(request, TransportTimeoutError, "connect", maybe_sent=False)
        return await super().send(request)


@breaks(requests.says_that_nobody_listens)
class BlamesTheName(Honest):
    async def send(self, request: Request, /) -> Response:
        if not request.url.startswith(URL):
            raise error_of(request, ConnectError, "resolve", maybe_sent=False)
        return await super().send(request)


# What comes back.


@breaks(answers.any_status)
class RaisesForAStatus(Honest):
    async def send(self, request: Request, /) -> Response:
        response = await super().send(request)
        if response.status == 401:
            raise error_of(request, ProtocolError)
        return response


@breaks(answers.any_status)
class ReadsText(Honest):
    async def send(self, request: Request, /) -> Response:
        response = await super().send(request)
        text = response.body.decode("utf-8", "replace")
        return attrs.evolve(response, body=text.encode())


@breaks(answers.any_status)
class DropsUnknownFields(Honest):
    async def send(self, request: Request, /) -> Response:
        response = await super().send(request)
        fields = [pair for pair in response.headers.fields if not pair[0].startswith("X-")]
        return attrs.evolve(response, headers=Headers(fields))


@breaks(answers.repeated_fields)
class AnswersAMapping(Honest):
    async def send(self, request: Request, /) -> Response:
        response = await super().send(request)
        return attrs.evolve(response, headers=Headers(dict(response.headers)))


@breaks(answers.without_body)
class WaitsForABody(Honest):
    async def send(self, request: Request, /) -> Response:
        response = await super().send(request)
        if len(response.body) < int(response.headers.get("content-length", "0")):
            raise error_of(request, DisconnectedError, "body")
        return response


@breaks(answers.without_body)
class CountsOnFields(Honest):
    async def send(self, request: Request, /) -> Response:
        response = await super().send(request)
        bare = response.status in {204, 304}
        return attrs.evolve(response, headers=Headers()) if bare else response


@breaks(answers.takes_the_largest)
class RefusesTheLargest(Honest):
    async def send(self, request: Request, /) -> Response:
        response = await super().send(request)
        if len(response.body) >= request.max_body:
            raise error_of(request, BodyTooLargeError, "body")
        return response


@breaks(answers.refuses_a_larger)
class TakesOneMore(Honest):
    async def send(self, request: Request, /) -> Response:
        return await super().send(changed(request, max_body=request.max_body + 1))


@breaks(answers.refuses_a_larger)
class CutsOff(Honest):
    async def send(self, request: Request, /) -> Response:
        try:
            return await super().send(request)
        except BodyTooLargeError:
            if request.max_body > 0:
                raise
        return Response(200)


@breaks(answers.refuses_a_larger)
class BlamesTheHeaders(Honest):
    async def send(self, request: Request, /) -> Response:
        try:
            return await super().send(request)
        except BodyTooLargeError as error:
            error.phase = "headers"
            raise


@breaks(answers.refuses_a_larger)
class ChokesOnTheRest(Honest):
    choked = False

    async def send(self, request: Request, /) -> Response:
        if self.choked:
            raise error_of(request, ProtocolError)
        try:
            return await super().send(request)
        except BodyTooLargeError:
            self.choked = True
            raise


class AsksForGzip(Honest):
    async def send(self, request: Request, /) -> Response:
        fields = request.headers.merged({"Accept-Encoding": "gzip"})
        return await super().send(changed(request, headers=fields))


@breaks(answers.decodes)
class LeavesItCompressed(AsksForGzip):
    pass


@breaks(answers.decodes)
class InflatesWithoutLimit(AsksForGzip):
    async def send(self, request: Request, /) -> Response:
        response = await super().send(request)
        if "content-encoding" in response.headers:
            return attrs.evolve(response, body=gzip.decompress(response.body))
        return response


@breaks(answers.says_its_source)
class MeasuresNothing(Honest):
    async def send(self, request: Request, /) -> Response:
        return attrs.evolve(await super().send(request), elapsed=0.0)


@breaks(answers.says_its_source)
class MeasuresMilliseconds(Honest):
    async def send(self, request: Request, /) -> Response:
        response = await super().send(request)
        return attrs.evolve(response, elapsed=1000 * response.elapsed)


@breaks(answers.says_its_source)
class HasASourceOfItsOwn(Honest):
    async def send(self, request: Request, /) -> Response:
        return attrs.evolve(await super().send(request), source="cache")  # type: ignore[arg-type]


@breaks(answers.answers_to_each)
class MixesUp(Honest):
    last: Request

    async def send(self, request: Request, /) -> Response:
        self.last = request
        await anyio.lowlevel.checkpoint()
        return await super().send(self.last)


# How it ends without an answer.


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


# Its end.


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


# What it says.


@breaks(secrets.shows_no_secret)
class ShowsItsLastRequest(Honest):
    last = ""

    async def send(self, request: Request, /) -> Response:
        self.last = request.url
        return await super().send(request)

    def __repr__(self) -> str:
        return "<ShowsItsLastRequest>"

    def __str__(self) -> str:
        return self.last


@breaks(secrets.raises_no_secret)
class NamesTheWholeUrl(Honest):
    async def send(self, request: Request, /) -> Response:
        try:
            return await super().send(request)
        except ProtocolError:
            pass
        raise error_of(request, ProtocolError, message=f"{request.url} fails")


@breaks(secrets.raises_no_secret)
class KeepsTheRequestInTheError(Honest):
    async def send(self, request: Request, /) -> Response:
        try:
            return await super().send(request)
        except ProtocolError as error:
            error.add_note(str(request.body))
            raise


@breaks(secrets.raises_no_secret)
class HasALocal(Honest):
    async def send(self, request: Request, /) -> Response:
        fields = request.headers.fields
        assert fields is not None
        return await super().send(request)


@breaks(secrets.raises_no_secret)
class KeepsTheContext(Honest):
    async def send(self, request: Request, /) -> Response:
        try:
            return await self._send(request)
        except ProtocolError:
            raise error_of(request, ProtocolError) from None

    async def _send(self, request: Request) -> Response:
        fields = request.headers.fields
        try:
            return await super().send(request)
        finally:
            fields = fields[:3]


@breaks(secrets.raises_no_secret)
class ShowsItWhenCancelled(Honest):
    async def send(self, request: Request, /) -> Response:
        try:
            return await super().send(request)
        except anyio.get_cancelled_exc_class():
            fields = request.headers.fields
            assert fields is not None
            raise


@breaks(secrets.logs_no_secret)
class LogsTheUrl(Honest):
    async def send(self, request: Request, /) -> Response:
        logging.getLogger("broken").debug("Sending to %s", request.url)
        return await super().send(request)


@breaks(secrets.logs_no_secret)
class LogsTheAnswer(Honest):
    async def send(self, request: Request, /) -> Response:
        response = await super().send(request)
        logging.getLogger("broken").info("It came", extra={"body": response.body})
        return response


@breaks(secrets.logs_no_secret)
class LogsAnEvent(Honest):
    log = structlog.get_logger()

    async def send(self, request: Request, /) -> Response:
        self.log.debug("request", fields=request.headers.fields)
        return await super().send(request)


@breaks(secrets.logs_no_secret)
class LogsATraceback(Honest):
    async def send(self, request: Request, /) -> Response:
        try:
            return await self._send(request)
        except ProtocolError as error:
            logging.getLogger("broken").warning("It failed", exc_info=True)
            raise error.with_traceback(None) from None

    async def _send(self, request: Request) -> Response:
        try:
            return await super().send(request)
        except ProtocolError:
            fields = request.headers.fields
            assert fields is not None
            raise


# Other loops and processes.


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
