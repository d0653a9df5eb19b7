"""They do something to an answer."""

import gzip

import anyio
import anyio.lowlevel
import attrs

from tests.transports.broken.honest import Honest, breaks, changed, error_of
from transports import (
    BodyTooLargeError,
    DisconnectedError,
    Headers,
    ProtocolError,
    Request,
    Response,
)
from transports.testing import _answers as answers


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
