"""The integration types: what each is called, asks for and does differently.

Importing this reads nothing; `integrations()` reads the catalogue when it is first called.
"""

from connectors.catalog._catalog import integrations
from connectors.catalog._config import check_config, config_problem
from connectors.catalog._hosts import host_problem, placeholders
from connectors.catalog._model import (
    Api,
    Authorization,
    Call,
    Capture,
    ConfigField,
    Integration,
    Probe,
    Refresh,
    Scopes,
    Success,
    TokenAnswer,
    TokenCall,
)
from connectors.catalog._types import IntegrationType

__all__ = [
    "Api",
    "Authorization",
    "Call",
    "Capture",
    "ConfigField",
    "Integration",
    "IntegrationType",
    "Probe",
    "Refresh",
    "Scopes",
    "Success",
    "TokenAnswer",
    "TokenCall",
    "check_config",
    "config_problem",
    "host_problem",
    "integrations",
    "placeholders",
]
