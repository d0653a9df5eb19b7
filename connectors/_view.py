"""What a client and each view derived from it are made of: an identity, options and an engine.

The modules of a client speak to this: they choose a request and a model, and the view sends it.
"""

from collections.abc import Callable
from functools import cached_property, partial
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

# Programs ask for few connections again and again; who asks for ever new ones fills no memory.
_MOST_READS: Final = 256


@attrs.frozen(eq=False)
class View:
    """One identity's way to the service."""

    identity: Identity
    options: Options
    engine: Engine
    _reads: dict[tuple[Read, str], Call] = attrs.field(factory=dict, init=False, repr=False)

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
        call = asked = self._reading(read, identifier)
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

    def _reading(self, read: Read, identifier: str) -> Call:
        """The call for a connection, the same object each time."""
        known = self._reads.get((read, identifier)) if isinstance(identifier, str) else None
        if known is None:
            known = self._call(read(self.requests, identifier))
            if len(self._reads) == _MOST_READS:
                self._reads.clear()
            self._reads[read, identifier] = known
        return known

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
