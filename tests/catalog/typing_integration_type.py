"""Read by mypy only: where a known type is demanded a wrong name is an error.

Each wrong use is marked with its exact error code, so it fails the check once it passes.
"""

from typing import TypeAlias

from connectors.catalog import Integration, IntegrationType, integrations

AnyType: TypeAlias = IntegrationType | str


def demand_known(integration_type: IntegrationType) -> None: ...


def accept_any(integration_type: IntegrationType | str) -> None: ...


def check(name: str) -> None:
    demand_known("slack")
    demand_known("slakc")  # type: ignore[arg-type]
    demand_known(name)  # type: ignore[arg-type]
    accept_any("slack")
    accept_any("a_type_of_tomorrow")
    accept_any(name)
    accept_any(1)  # type: ignore[arg-type]
    found: Integration | None = integrations().get(name)
    sure: Integration = integrations().get(name)  # type: ignore[assignment]
    del found, sure
