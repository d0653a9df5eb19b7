"""A table in which values are sealed: its rows are read, checked and written in one way.

Where a value belongs follows from the other columns of its row, so that it opens only with them.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias, final

import attrs

from connectors.local._crypto import Place
from connectors.local._errors import VaultDamagedError
from connectors.local._sealing import Database
from transports import Secret

Row: TypeAlias = Mapping[str, Any]


@final
@attrs.frozen
class Table:
    """The table of this name, with its columns."""

    name: str
    noun: str
    """What a row of it is called in an error."""

    key: str
    """The column of its primary key."""

    plain: tuple[str, ...]
    """The columns that are as they are."""

    sealed: tuple[str, ...]
    """The columns whose values are sealed, unless they are NULL."""

    place: Callable[[Row, str], Place]
    """From the plain columns of a row and a sealed one to where that one's value belongs."""

    @property
    def columns(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.plain, *self.sealed)

    def rows(self, database: Database, where: str, values: Row) -> Iterator[Row]:
        """The rows that a condition, which is no input, holds for."""
        found = database.connection.execute(
            f"SELECT {', '.join(self.columns)} FROM {self.name} WHERE {where}",  # noqa: S608 - constants.
            values,
        ).fetchall()
        return (dict(zip(self.columns, row, strict=True)) for row in found)

    def row(self, database: Database, key: str) -> Row | None:
        """The row with a primary key."""
        return next(self.rows(database, f"{self.key} = :key", {"key": key}), None)

    def write(self, database: Database, plain: Row, secrets: Mapping[str, Secret | None]) -> None:
        """Write a row in place of the one with its key; part of a transaction."""
        names = self.columns
        sealed = {
            field: None if secret is None else database.ring.seal(secret, self.place(plain, field))
            for field, secret in secrets.items()
        }
        database.connection.execute(
            f"INSERT INTO {self.name} ({', '.join(names)})"  # noqa: S608 - constants.
            f" VALUES ({', '.join(f':{name}' for name in names)})"
            f" ON CONFLICT ({self.key}) DO UPDATE SET"
            f" {', '.join(f'{name} = excluded.{name}' for name in names)}",
            {**plain, **sealed},
        )

    def unsealed(self, database: Database, row: Row, field: str) -> Secret:
        """One of a row's secrets.

        Raises:
            VaultDamagedError: It is gone, was edited, or moved here from another place.
        """
        return database.unseal(row[field], self.place(row, field), f"{self.noun} {row[self.key]}")

    def found(self, database: Database, row: Row, field: str) -> Secret | None:
        """One of a row's secrets; None when the row does not have it.

        Raises:
            VaultDamagedError: It was edited, or moved here from another place.
        """
        return None if row[field] is None else self.unsealed(database, row, field)

    @contextmanager
    def reading(self, database: Database, row: Row) -> Iterator[None]:
        """Raise what a row's values are refused with as an error of the vault.

        Raises:
            VaultDamagedError: It has something that no vault writes.
        """
        try:
            yield
        except (TypeError, ValueError) as error:
            raise VaultDamagedError(
                database.path, f"the row of {self.noun} {row[self.key]} is damaged ({error})"
            ) from error
