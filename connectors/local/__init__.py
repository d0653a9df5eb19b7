"""The local backend: the connectors API on an encrypted SQLite vault of your own.

`Client.local()` puts it under a client in this process. `serve` puts it on a port for other
programs, with the credentials of `vault_authority`. Connections are put in with `Vault.put`.
"""

from connectors.local._api import LocalBackend
from connectors.local._authority import Authority, Principal, vault_authority
from connectors.local._errors import (
    VaultBusyError,
    VaultDamagedError,
    VaultError,
    VaultForeignError,
    VaultKeyError,
    VaultPermissionError,
    VaultSchemaError,
    VaultStorageError,
    VaultUsageError,
)
from connectors.local._fields import ConnectionConfig
from connectors.local._in_process import InProcessTransport, LocalCredentials, local_credentials
from connectors.local._loopback import is_loopback
from connectors.local._places import default_vault
from connectors.local._records import ConnectionSummary, Grant, Owner, StoredConnection
from connectors.local._serving import Backend, Server, serve
from connectors.local._vault import Vault

__all__ = [
    "Authority",
    "Backend",
    "ConnectionConfig",
    "ConnectionSummary",
    "Grant",
    "InProcessTransport",
    "LocalBackend",
    "LocalCredentials",
    "Owner",
    "Principal",
    "Server",
    "StoredConnection",
    "Vault",
    "VaultBusyError",
    "VaultDamagedError",
    "VaultError",
    "VaultForeignError",
    "VaultKeyError",
    "VaultPermissionError",
    "VaultSchemaError",
    "VaultStorageError",
    "VaultUsageError",
    "default_vault",
    "is_loopback",
    "local_credentials",
    "serve",
    "vault_authority",
]
