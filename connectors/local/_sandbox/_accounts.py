"""The people who consent, and what a provider would tell about them.

A captured value has to pass the same checks as a real one. So it is made from the example that the
catalogue has for it, with other digits for each account: an instance of one is not that of another.
"""

import hashlib
from typing import Final

import attrs

from connectors.catalog import Capture, ConfigField, Integration


@attrs.frozen
class Account:
    """Somebody who has an account with every provider, and with none."""

    name: str
    """How `approve` and the consent page call them."""

    display_name: str
    """What a person reads."""

    email: str
    """An address that can't exist (RFC 2606)."""


ACCOUNTS: Final = (
    Account("ada", "Ada Example", "ada@acme.example"),
    Account("ben", "Ben Example", "ben@acme.example"),
    Account("cleo", "Cleo Example", "cleo@globex.example"),
)
"""Who can be chosen on the consent page; the first is the one that is proposed."""


def find_account(name: str) -> Account | None:
    """The account of a name."""
    return next((account for account in ACCOUNTS if account.name == name), None)


def captured_value(integration: Integration, capture: Capture, account: Account) -> str:
    """What the provider tells of an account; the same each time.

    Args:
        integration: The type as it is in the sandbox, whose examples lead there.
        capture: The value that is told.
        account: Who has consented.
    """
    fields = {field.name: field for field in integration.connection_config}
    field = fields.get(capture.name)
    if field is None:
        return f"{capture.name}-{account.name}"
    return _varied(field, f"{integration.integration_type} {account.name}")


def _varied(field: ConfigField, owner: str) -> str:
    if "://" in field.placeholder:
        # An address of the sandbox itself, where other digits would be another port.
        return field.placeholder
    digest = hashlib.sha256(f"{owner} {field.name}".encode()).digest()
    digits = iter(str(int.from_bytes(digest, "big")))
    return "".join(next(digits) if known.isdecimal() else known for known in field.placeholder)
