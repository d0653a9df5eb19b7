"""They do something else to a request than to send it as it is, once."""

import attrs

from tests.transports.broken.honest import URL, Honest, breaks, changed, error_of
from transports import (
    ConnectError,
    DisconnectedError,
    Headers,
    Request,
    Response,
    TransportTimeoutError,
)
from transports.testing import _requests as requests


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


@breaks(requests.arrives_as_it_is)
class KnowsTheOptionsAlready(Honest):
    async def send(self, request: Request, /) -> Response:
        if (request.method, request.url) == ("OPTIONS", f"{URL}/"):
            return Response(200)
        return await super().send(request)


@breaks(requests.arrives_as_it_is)
class LosesTheAnswer(Honest):
    async def send(self, request: Request, /) -> Response:
        response = await super().send(request)
        if (request.method, request.url) == ("OPTIONS", f"{URL}/"):
            raise error_of(request, DisconnectedError)
        return response


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
