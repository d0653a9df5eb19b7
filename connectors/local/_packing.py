"""Configurations and single secrets as the text that is sealed for them.

One that is not there is sealed too, as null: it can't be taken away unnoticed.
"""

import json
from collections.abc import Mapping

from connectors.local._fields import ConnectionConfig
from transports import Secret


def packed_config(config: Mapping[str, str] | None) -> Secret:
    """A configuration as text."""
    return Secret(json.dumps(None if config is None else dict(config)))


def unpacked_config(text: Secret) -> ConnectionConfig | None:
    """A configuration from its text."""
    values = json.loads(text.reveal())
    return None if values is None else ConnectionConfig(values)


def packed(secret: Secret | None) -> Secret:
    """A secret that may be missing, as text."""
    return Secret(json.dumps(None if secret is None else secret.reveal()))


def unpacked(text: Secret) -> Secret | None:
    """A secret from its text."""
    return None if text.reveal() == "null" else Secret(json.loads(text.reveal()))
