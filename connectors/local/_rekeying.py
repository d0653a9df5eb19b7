"""Changes the key of a vault: everything is sealed with the first key of the ring."""

from connectors.local._connections import reseal_connections
from connectors.local._database import clear_log
from connectors.local._schema import writing
from connectors.local._sealing import Database, register_key
from connectors.local._settings import reseal_settings


def reseal(database: Database) -> None:
    """Seal every value with the first key, in one transaction; then no other key is needed."""
    with writing(database.connection, database.path):
        register_key(database)
        reseal_connections(database)
        reseal_settings(database)
        database.connection.execute(
            "DELETE FROM sealing_keys WHERE id <> ?", (database.ring.ids[0],)
        )
    clear_log(database.connection)
