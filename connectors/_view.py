"""What a client and each view derived from it are made of: an identity, options and an engine.

The modules of a client speak to this: they choose a request and a model, and the view sends it.
"""

from collections.abc import Callable
from functools import cached_property, lru_cache, partial
from typing import Final, TypeAlias, TypeVar

import attrs

from connectors._engine import Call, Engine, Options
from connectors._identity import Identity
from connectors._models import Connection
from connectors._redaction import Redactor
from connectors._requests import Requests, naming_rejected
from connectors._wire import decode
from transports import Request, Response

T = TypeVar("T")

Read: TypeAlias = Callable[[Requests, str], Request]
"""Builds the request for a connection, by its identifier."""

_MOST_READS: Final = 256
"""Programs ask for few connections again and again; who asks for ever new ones fills no memory."""


@attrs.frozen(eq=False)
class View:
    """One identity's way to the service."""

    identity: Identity
    options: Options
    engine: Engine

    @cached_property
    def requests(self) -> Requests:
        """The requests that this identity can send."""
        return Requests(self.identity)

    async def connection(
        self,
        read: Read,
        identifier: str,
        *,
        max_age: float | None,
        rejected: Connection | None,
    ) -> Connection:
        """A connection, by a fetch that equal requests share."""
        _check_freshness(max_age, rejected)
        if isinstance(identifier, str):
            call = asked = self._reading(read, identifier)
        else:
            # It need not be hashable, and the request refuses it by its name.
            call = asked = self._call(read(self.requests, identifier))
        if rejected is not None:
            asked = self._call(naming_rejected(call.request, rejected))
        return await self.engine.connection(call, asked, max_age=max_age, rejected=rejected)

    async def fetch(self, request: Request, model: type[T]) -> T:
        """The answer to a request as a model."""
        return await self.engine.alone(self._call(request), partial(_decoded, model))

    async def send(self, request: Request) -> None:
        """Send a request whose answer says nothing but that it worked."""
        await self.engine.alone(self._call(request), _ignored)

    @cached_property
    def _redactor(self) -> Redactor:
        return Redactor(self.identity.secrets)

    @cached_property
    def _reading(self) -> Callable[[Read, str], Call]:
        """The call for a connection, the same object as long as it is asked for."""
        # Nothing in here leads back to this view: most live as long as one request of a user.
        requests, options, redactor = self.requests, self.options, self._redactor
        return lru_cache(_MOST_READS)(
            lambda read, identifier: Call(read(requests, identifier), options, redactor)
        )

    def _call(self, request: Request) -> Call:
        return Call(request, self.options, self._redactor)


def _decoded(model: type[T], response: Response, request: Request, request_id: str) -> T:
    return decode(response, request, model, request_id=request_id)


def _ignored(_response: Response, _request: Request, _request_id: str) -> None:
    return None


def _check_freshness(max_age: object, rejected: object) -> None:
    if max_age is not None and not (isinstance(max_age, int | float) and max_age >= 0):
        raise ValueError(f"max_age must be a number of seconds from 0, not {max_age!r}.")
    if rejected is not None and not isinstance(rejected, Connection):
        raise TypeError(
            f"rejected must be the Connection that was refused, not {type(rejected).__name__}."
        )
