"""The last connection of each request, for callers who accept one that is not new.

Nothing is served from here unless a call says so: with `max_age`, how old it may be, or with
`rejected`, which one it must not be. The oldest leave when there are too many, and what was
fetched in one event loop is never served in another, because their clocks need not agree.
"""

import weakref
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, final

import anyio
import anyio.lowlevel
import attrs

from connectors._models import Connection

_MOST: Final = 1024


@attrs.frozen
class _Entry:
    connection: Connection
    fetched_at: float
    loop: weakref.ref[object]


@final
class Recent:
    """Remembers what was fetched last for each key, at most 1,024 of them."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()

    def remember(self, key: Hashable, connection: Connection, fetched_at: float) -> None:
        """Keep a connection whose fetch began at `fetched_at`, on the event loop's clock."""
        self._entries[key] = _Entry(connection, fetched_at, weakref.ref(_loop()))
        self._entries.move_to_end(key)
        if len(self._entries) > _MOST:
            self._entries.popitem(last=False)

    def find(
        self, key: Hashable, *, max_age: float | None, rejected: Connection | None
    ) -> Connection | None:
        """A connection that the caller accepts, or None when one has to be fetched."""
        entry = self._entries.get(key)
        if entry is None or entry.loop() is not _loop():
            return None
        if rejected is not None and entry.connection.access_token == rejected.access_token:
            return None
        if max_age is not None:
            fresh = anyio.current_time() - entry.fetched_at < max_age
            return entry.connection if fresh else None
        # Without a limit only a rejected one is replaced: by the one that somebody who was
        # rejected earlier has fetched since.
        return entry.connection if rejected is not None else None

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)


def _loop() -> object:
    return anyio.lowlevel.current_token().native_token
