"""The newest connection of each request, for callers who accept one that is not new.

Nothing is served from here unless a call says so: with `max_age`, how old it may be, or with
`rejected`, which one it must not be. When there are too many, those leave that were not asked for
the longest, and what was fetched in one event loop is never served in another, because their
clocks need not agree.
"""

import weakref
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, final

import attrs

from connectors._models import Connection
from transports._loops import current_loop, current_time

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
        """Keep a connection whose fetch began at `fetched_at`, on the event loop's clock.

        One whose fetch began later stays: it may have been fetched because this one was refused.
        """
        known, loop = self._entries.pop(key, None), current_loop()
        if known is None or known.loop() is not loop or known.fetched_at <= fetched_at:
            known = _Entry(connection, fetched_at, weakref.ref(loop))
        self._entries[key] = known
        if len(self._entries) > _MOST:
            self._entries.popitem(last=False)

    def find(
        self, key: Hashable, *, max_age: float | None, rejected: Connection | None
    ) -> Connection | None:
        """A connection that the caller accepts, or None when one has to be fetched."""
        entry = self._entries.get(key)
        if entry is None or not _is_accepted(entry, max_age, rejected):
            return None
        self._entries.move_to_end(key)
        return entry.connection

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)


def _is_accepted(entry: _Entry, max_age: float | None, rejected: Connection | None) -> bool:
    if entry.loop() is not current_loop():
        return False
    if rejected is not None and entry.connection.access_token == rejected.access_token:
        return False
    if max_age is not None:
        return current_time() - entry.fetched_at < max_age
    # Without a limit only a rejected one is replaced: by the one that somebody who was rejected
    # earlier has fetched since.
    return rejected is not None
