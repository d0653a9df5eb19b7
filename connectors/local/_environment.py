"""Whether a vault is for real providers or for the sandbox, said once and for good.

The tokens of the one are of no use to the other. To mix them would send a sandbox's tokens to a
provider, where they can only cost a connection, and to show sandbox accounts to a program that
believes them real.
"""

from typing import Final, Literal, TypeAlias

from connectors.local._errors import VaultUsageError
from connectors.local._vault import Vault
from transports import Secret

Environment: TypeAlias = Literal["providers", "sandbox"]
"""Whom the connections of a vault are with."""

_SETTING: Final = "environment"
_ADVICE: Final[dict[Environment, str]] = {
    "providers": "it is for real providers, and the sandbox must not touch it; leave out --vault, "
    "or name a new one",
    "sandbox": "it is for the sandbox: use it with `connectors dev --sandbox`, or name another",
}


async def demand_environment(vault: Vault, environment: Environment) -> None:
    """Make sure that a vault is what it is used as; a new one becomes that.

    Raises:
        VaultUsageError: It is for the other.
        VaultError: It can't be used.
    """
    kept = await vault.setting(_SETTING, lambda: Secret(environment))
    if kept != Secret(environment):
        other: Environment = "sandbox" if environment == "providers" else "providers"
        raise VaultUsageError(vault.path, _ADVICE[other])
