"""They say what nobody should know."""

import logging

import anyio
import anyio.lowlevel
import structlog

from tests.transports.broken.honest import Honest, breaks, error_of
from transports import (
    ProtocolError,
    Request,
    Response,
)
from transports.testing import _secrets as secrets


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
