"""Consents that were asked for, from the state that is sent away to what came of it.

A state is known by its hash alone, so nobody who reads the file can complete a consent. It is good
for ten minutes and for one use: the transaction that takes a consent erases its verifier. How it
ended stays for another ten minutes, for whoever waits for it.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, final, get_args

import attrs

from connectors._digests import hex_digest
from connectors.local import _rows
from connectors.local._clocks import CLOCK_SET_BACK
from connectors.local._crypto import Place
from connectors.local._database import clear_log
from connectors.local._fields import (
    ConnectionConfig,
    check_seconds,
    check_text,
    config_error,
    hidden,
    several,
)
from connectors.local._oauth_records import (
    UNFINISHED,
    Consent,
    ConsentEnding,
    ConsentGone,
    ConsentStatus,
)
from connectors.local._packing import packed_config, unpacked_config
from connectors.local._records import Owner
from connectors.local._schema import writing
from connectors.local._sealing import Database, register_key
from connectors.local._tables import Row, Table
from connectors.local._work import Work
from transports import Secret

LIFETIME: Final = 600.0
"""Seconds from the beginning of a consent in which it has to be completed."""

_REMEMBERED: Final = 600.0
_ENDINGS: Final = get_args(ConsentEnding)


def _place(row: Row, field: str) -> Place:
    names = (
        "state_hash",
        "connection_id",
        *_rows.OWNER,
        "integration_type",
        "redirect_uri",
        "scopes",
    )
    identity = ("consent", *(row[name] for name in names), str(row["expires_at"]))
    return Place(identity, 1, field)


TABLE: Final = Table(
    "consents",
    noun="consent",
    key="state_hash",
    plain=(
        "state_hash",
        "connection_id",
        *_rows.OWNER,
        "integration_type",
        "redirect_uri",
        "scopes",
        "outcome",
        "problem",
        "created_at",
        "expires_at",
        "ended_at",
    ),
    sealed=("verifier_ct", "config_ct"),
    place=_place,
)


@final
class ConsentRows:
    """The consents that a vault remembers; `vault.consent_rows`.

    Each method raises a `VaultError` when the file can't be used. Times are Unix seconds.
    """

    def __init__(self, work: Work) -> None:
        self._work = work

    async def begin(
        self,
        owner: Owner,
        integration_type: str,
        *,
        state: Secret,
        verifier: Secret,
        redirect_uri: str,
        scopes: Sequence[str] = (),
        config: Mapping[str, str] | None = None,
        now: float,
    ) -> Consent:
        """Remember a consent that somebody is about to be asked for.

        All consents of an owner are for the same connection: the one that there is or was, or one
        whose id is made for the first of them.

        Raises:
            ValueError: The owner's account is for another type of integration.
        """
        error = config_error(config)
        config = hidden(config) or ConnectionConfig({})
        if error is not None:
            raise error
        check_seconds("now", now)
        if owner.kind == "app" and owner.name != integration_type:
            raise ValueError(
                f"the consent is for {integration_type!r}, its owner for {owner.name!r}"
            )
        consent = Consent(
            state_hash=state_hash(state),
            connection_id=uuid.uuid4().hex,
            owner=owner,
            integration_type=integration_type,
            redirect_uri=redirect_uri,
            scopes=several("scopes", scopes),
            outcome="pending",
            problem=None,
            created_at=now,
            expires_at=now + LIFETIME,
            ended_at=None,
            verifier=verifier,
            config=config,
        )
        return await self._work.run(partial(_begin, consent=consent))

    async def take(self, state: Secret, now: float) -> Consent | ConsentGone:
        """Use a state up; of all who come with it one gets its consent.

        Returns:
            The consent, or why there is none.
        """
        check_seconds("now", now)
        return await self._work.run(partial(_take, name=state_hash(state), now=now))

    async def end(
        self,
        state_hash: str,
        outcome: ConsentEnding,
        problem: str | None,
        now: float,
    ) -> bool:
        """Remember how a consent ended, for whoever waits for it.

        Returns:
            False when nobody knows it any more, or it has ended already.
        """
        check_seconds("now", now)
        if problem is not None:
            check_text("problem", problem)
        if outcome not in _ENDINGS:
            raise ValueError(f"outcome must be one of {', '.join(_ENDINGS)}, not {outcome!r}")
        return await self._work.run(
            partial(_end, name=state_hash, outcome=outcome, problem=problem, now=now)
        )

    async def status(self, state_hash: str, now: float) -> ConsentStatus | None:
        """How far a consent is; None when nobody knows it any more."""
        check_seconds("now", now)
        return await self._work.run(
            partial(_status, where="state_hash = :name", name=state_hash, now=now)
        )

    async def latest(self, connection_id: str, now: float) -> ConsentStatus | None:
        """How far the last consent for a connection is; None when nobody knows of any."""
        check_seconds("now", now)
        where = "connection_id = :name ORDER BY created_at DESC, rowid DESC"
        return await self._work.run(partial(_status, where=where, name=connection_id, now=now))

    async def forget(self, now: float) -> int:
        """Drop what ended or expired more than ten minutes ago, and say how many that were."""
        check_seconds("now", now)
        return await self._work.run(partial(_forget, now=now))


def state_hash(state: Secret) -> str:
    """What a consent is called: the SHA-256 of its state in hexadecimal."""
    return hex_digest(state)


def give_up(database: Database, integration_type: str, problem: str, now: float) -> None:
    """End the consents of a type that nobody has come back from; part of a transaction."""
    database.connection.execute(
        "UPDATE consents SET outcome = 'failed', problem = ?, ended_at = ?,"
        " verifier_ct = NULL, config_ct = NULL"
        " WHERE integration_type = ? AND outcome = 'pending'",
        (problem, now, integration_type),
    )


def end_consent(
    database: Database, name: str, outcome: ConsentEnding, problem: str | None, now: float
) -> bool:
    """End a consent that has not ended yet, and say whether it was one; part of a transaction."""
    row = TABLE.row(database, name)
    if row is None or row["outcome"] not in UNFINISHED:
        return False
    _settle(database, name, {"outcome": outcome, "problem": problem, "ended_at": now})
    return True


def _begin(database: Database, consent: Consent) -> Consent:
    with writing(database.connection, database.path):
        _drop(database, consent.created_at)
        consent = attrs.evolve(consent, connection_id=_connection_id(database, consent))
        columns = {
            **{name: getattr(consent, name, None) for name in TABLE.plain},
            **_rows.owner_columns(consent.owner),
            "scopes": json.dumps(consent.scopes),
        }
        secrets = {"verifier_ct": consent.verifier, "config_ct": packed_config(consent.config)}
        register_key(database)
        TABLE.write(database, columns, secrets)
    return consent


def _take(database: Database, name: str, now: float) -> Consent | ConsentGone:
    with writing(database.connection, database.path):
        row = TABLE.row(database, name)
        if row is None:
            return "unknown"
        if row["outcome"] != "pending":
            return "used"
        if not _is_current(row, now):
            return "expired"
        consent = _opened(database, row)
        _settle(database, name, {"outcome": "taken", "problem": None, "ended_at": None})
    clear_log(database.connection)
    return consent


def _is_current(row: Row, now: float) -> bool:
    """Is it the time in which a consent can be completed?"""
    # One from the future was begun by a clock that was wrong, and its end is as wrong.
    began: float = row["created_at"] - CLOCK_SET_BACK
    ends: float = row["expires_at"]
    return began <= now < ends


def _end(
    database: Database, name: str, outcome: ConsentEnding, problem: str | None, now: float
) -> bool:
    with writing(database.connection, database.path):
        ended = end_consent(database, name, outcome, problem, now)
    clear_log(database.connection)
    return ended


def _status(database: Database, where: str, name: str, now: float) -> ConsentStatus | None:
    row = next(TABLE.rows(database, where, {"name": name}), None)
    if row is None:
        return None
    with TABLE.reading(database, row):
        status = ConsentStatus(**_summarised(row))
    # Whoever has taken it may have died.
    over = status.outcome in UNFINISHED and not _is_current(row, now)
    return attrs.evolve(status, outcome="expired") if over else status


def _forget(database: Database, now: float) -> int:
    with writing(database.connection, database.path):
        dropped = _drop(database, now)
    clear_log(database.connection)
    return dropped


def _drop(database: Database, now: float) -> int:
    return database.connection.execute(
        "DELETE FROM consents WHERE COALESCE(ended_at, expires_at) < ?", (now - _REMEMBERED,)
    ).rowcount


def _connection_id(database: Database, consent: Consent) -> str:
    row = _rows.owned(database, consent.owner)
    if row is not None:
        return str(row["id"])
    where = " AND ".join(f"{column} = :{column}" for column in _rows.OWNER)
    earlier = next(TABLE.rows(database, where, _rows.owner_columns(consent.owner)), None)
    return consent.connection_id if earlier is None else str(earlier["connection_id"])


def _settle(database: Database, name: str, changes: Mapping[str, object]) -> None:
    database.connection.execute(
        "UPDATE consents SET outcome = :outcome, problem = :problem, ended_at = :ended_at,"
        " verifier_ct = NULL, config_ct = NULL WHERE state_hash = :name",
        {**changes, "name": name},
    )


def _opened(database: Database, row: Row) -> Consent:
    verifier = TABLE.unsealed(database, row, "verifier_ct")
    config = unpacked_config(TABLE.unsealed(database, row, "config_ct"))
    with TABLE.reading(database, row):
        return Consent(**_summarised(row), verifier=verifier, config=config or {})


def _summarised(row: Row) -> dict[str, Any]:
    same = (field.name for field in attrs.fields(ConsentStatus) if field.name in row)
    return {
        **{name: row[name] for name in same},
        "owner": _rows.owner_of(row),
        "scopes": tuple(json.loads(row["scopes"])),
    }
