"""New tokens into all rows of their chain; part of a transaction."""

import time

from connectors._digests import hex_digest
from connectors.local import _rows
from connectors.local._generations import renewed
from connectors.local._oauth import Tokens
from connectors.local._records import StoredConnection
from connectors.local._sealing import Database, register_key
from transports import Secret


def renew_chain(
    database: Database, connection: StoredConnection, tokens: Tokens
) -> StoredConnection:
    """Write new tokens into a connection's row, and into those that share its chain."""
    register_key(database)
    renew_siblings(database, connection, tokens)
    result = renewed(connection, tokens, time.time())
    _rows.write(database, result)
    return result


def renew_siblings(database: Database, connection: StoredConnection, tokens: Tokens) -> bool:
    """Write the tokens of a connection into those that share its chain, if there are any."""
    siblings = _rows.siblings(database, connection)
    for sibling in siblings:
        _rows.write(database, renewed(sibling, tokens, time.time()))
    return bool(siblings)


def presented_digest(connection: StoredConnection) -> str:
    """What is kept of that token where the token itself must not be."""
    return hex_digest(presentable(connection) or Secret(""))


def presentable(connection: StoredConnection) -> Secret | None:
    """The token that is shown to the provider to get others; some types show the access token."""
    return connection.refresh_token or connection.access_token
