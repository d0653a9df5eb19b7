"""The registrations at the providers, one for each type of integration, and whether they are taken.

A secret is sealed for the client id and the redirect address that it was configured with: neither
can be changed under it, and none comes back that was replaced or removed. When a provider rejects a
client, its connections are as good as before; so that is remembered here, and ends with the next
configuration.

A consent is for the client that asked for it: its code is not to be exchanged with the secret of
another one, which may be for another host. So a configuration ends the consents that are under way.
"""

import json
import time
import uuid
from functools import partial
from typing import Any, Final, final

import attrs

from connectors.local._consent_rows import give_up
from connectors.local._crypto import Place
from connectors.local._database import clear_log
from connectors.local._fields import check_seconds, check_text
from connectors.local._oauth import OAuthClient
from connectors.local._oauth_records import OAuthApp, OAuthAppSummary, StoredOAuthApp
from connectors.local._packing import packed, packed_config, unpacked, unpacked_config
from connectors.local._schema import writing
from connectors.local._sealing import Database, register_key
from connectors.local._tables import Row, Table
from connectors.local._work import Work

_RECONFIGURED: Final = "The OAuth client was configured again meanwhile: begin again"
_REMOVED: Final = "The OAuth client was removed meanwhile: configure one, and begin again"
_NOTE: Final = """
    UPDATE oauth_apps SET problem = ?, rejected_at = ?, retry_at = ?, failures = ?
    WHERE integration_type = ? AND client_id = ? AND created_at = ? AND generation = ?
        AND failures = ?
"""


def _place(row: Row, field: str) -> Place:
    names = ("id", "integration_type", "client_id", "redirect_uri")
    return Place(("oauth_app", *(row[name] or "" for name in names)), row["generation"], field)


TABLE: Final = Table(
    "oauth_apps",
    noun="app",
    key="integration_type",
    plain=(
        "integration_type",
        "id",
        "generation",
        "client_id",
        "redirect_uri",
        "scopes",
        "connectors",
        "problem",
        "rejected_at",
        "retry_at",
        "failures",
        "created_at",
        "updated_at",
    ),
    sealed=("secret_ct", "config_ct"),
    place=_place,
)


@final
class OAuthApps:
    """The apps that a vault has, one for each type; `vault.apps`.

    Each method raises a `VaultError` when the file can't be used.
    """

    def __init__(self, work: Work) -> None:
        self._work = work

    async def configure(self, app: OAuthApp) -> StoredOAuthApp:
        """Keep an app in place of the earlier one of its type; it has not been rejected yet.

        Consents that were asked for with the earlier one fail.
        """
        return await self._work.run(partial(_configure, app=app))

    async def get(self, integration_type: str) -> StoredOAuthApp | None:
        """The app of a type; None when it is not configured."""
        check_text("integration_type", integration_type)
        return await self._work.run(partial(_get, integration_type=integration_type))

    async def list(self) -> tuple[OAuthAppSummary, ...]:
        """All apps by type, without their secrets. No key is used for it."""
        return await self._work.run(_list)

    async def remove(self, integration_type: str) -> bool:
        """Erase the app of a type; consents that were asked for with it fail.

        Returns:
            False when it was not configured.
        """
        check_text("integration_type", integration_type)
        return await self._work.run(partial(_remove, integration_type=integration_type))

    async def reject(
        self, app: OAuthAppSummary, *, problem: str, at: float, retry_at: float
    ) -> bool:
        """Remember that the provider has rejected an app.

        Args:
            app: The app as it was asked with.
            problem: What to tell; not secret.
            at: When, in Unix seconds.
            retry_at: Before this time nobody is to ask with it, in Unix seconds.

        Returns:
            False when it was configured again meanwhile, or somebody else has remembered it.
        """
        check_text("problem", problem)
        check_seconds("at", at)
        check_seconds("retry_at", retry_at)
        rejection = (problem, at, retry_at, app.failures + 1)
        return await self._work.run(partial(_note, app=app, rejection=rejection))

    async def accept(self, app: OAuthAppSummary) -> bool:
        """Forget that an app was rejected, now that the provider has taken it.

        Returns:
            False when it was configured or rejected again meanwhile.
        """
        return await self._work.run(partial(_note, app=app, rejection=(None, None, None, 0)))


def _configure(database: Database, app: OAuthApp) -> StoredOAuthApp:
    now = time.time()
    with writing(database.connection, database.path):
        earlier = TABLE.row(database, app.integration_type)
        columns = {
            "integration_type": app.integration_type,
            "id": earlier["id"] if earlier else uuid.uuid4().hex,
            "generation": earlier["generation"] + 1 if earlier else 1,
            "client_id": app.client.client_id,
            "redirect_uri": app.redirect_uri,
            "scopes": json.dumps(app.scopes),
            "connectors": json.dumps(app.connectors),
            "problem": None,
            "rejected_at": None,
            "retry_at": None,
            "failures": 0,
            "created_at": earlier["created_at"] if earlier else now,
            "updated_at": now,
        }
        secrets = {
            "secret_ct": packed(app.client.client_secret),
            "config_ct": packed_config(app.config),
        }
        register_key(database)
        TABLE.write(database, columns, secrets)
        give_up(database, app.integration_type, _RECONFIGURED, now)
    clear_log(database.connection)
    return StoredOAuthApp(**_summarised(columns), client=app.client, config=app.config)


def _get(database: Database, integration_type: str) -> StoredOAuthApp | None:
    row = TABLE.row(database, integration_type)
    if row is None:
        return None
    secret = TABLE.unsealed(database, row, "secret_ct")
    config = TABLE.unsealed(database, row, "config_ct")
    with TABLE.reading(database, row):
        client = OAuthClient(row["client_id"], unpacked(secret))
        return StoredOAuthApp(**_summarised(row), client=client, config=unpacked_config(config))


def _list(database: Database) -> tuple[OAuthAppSummary, ...]:
    found = TABLE.rows(database, "TRUE ORDER BY integration_type", {})
    return tuple(_summary(database, row) for row in found)


def _remove(database: Database, integration_type: str) -> bool:
    with writing(database.connection, database.path):
        give_up(database, integration_type, _REMOVED, time.time())
        removed = database.connection.execute(
            "DELETE FROM oauth_apps WHERE integration_type = ?", (integration_type,)
        ).rowcount
    clear_log(database.connection)
    return removed > 0


def _note(database: Database, app: OAuthAppSummary, rejection: tuple[object, ...]) -> bool:
    seen = (app.integration_type, app.client_id, app.created_at, app.generation, app.failures)
    with writing(database.connection, database.path):
        return database.connection.execute(_NOTE, (*rejection, *seen)).rowcount > 0


def _summary(database: Database, row: Row) -> OAuthAppSummary:
    with TABLE.reading(database, row):
        return OAuthAppSummary(**_summarised(row))


def _summarised(row: Row) -> dict[str, Any]:
    same = (field.name for field in attrs.fields(OAuthAppSummary))
    lists = {name: tuple(json.loads(row[name])) for name in ("scopes", "connectors")}
    return {**{name: row[name] for name in same}, **lists}
