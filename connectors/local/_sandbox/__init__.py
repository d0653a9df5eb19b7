"""The sandbox: a provider for development that plays all types, on this machine only.

A client of it gets `SandboxProvider.integrations(origin)` in the place of the catalogue, and the
credentials of `SandboxProvider.client`; all the rest of its flow is what it is at a provider.
"""

from connectors.local._sandbox._accounts import ACCOUNTS, Account
from connectors.local._sandbox._faults import Fault
from connectors.local._sandbox._provider import SandboxProvider
from connectors.local._sandbox._sandboxed import LIFETIME, sandboxed
from connectors.local._sandbox._serving import SandboxTransport, serve_sandbox
from connectors.local._sandbox._stats import Stats

__all__ = [
    "ACCOUNTS",
    "LIFETIME",
    "Account",
    "Fault",
    "SandboxProvider",
    "SandboxTransport",
    "Stats",
    "sandboxed",
    "serve_sandbox",
]
