"""`connectors list-available`: the types of integrations that the catalogue knows."""

import click

from connectors._command._options import examples
from connectors._command._output import NOTHING, say_json, say_table
from connectors.catalog import ConfigField, Integration, integrations


@click.command(
    "list-available",
    epilog=examples("connectors list-available", "connectors list-available --json"),
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(*, as_json: bool) -> None:
    """List the types of integrations.

    'needs' is what --config of `connectors connect` has to give, in brackets what it may give.
    'facts' says how far what the catalogue knows of the provider could be confirmed.
    """
    known = integrations().values()
    if as_json:
        say_json([_as_json(integration) for integration in known])
    else:
        say_table(("type", "name", "facts", "needs"), map(_row, known))


def _row(integration: Integration) -> tuple[str, ...]:
    needs = " ".join(map(_need, integration.connection_config))
    facts = integration.confidence
    return integration.integration_type, integration.display_name, facts, needs or NOTHING


def _need(field: ConfigField) -> str:
    return field.name if field.required else f"[{field.name}]"


def _as_json(integration: Integration) -> dict[str, object]:
    return {
        "integration_type": integration.integration_type,
        "display_name": integration.display_name,
        "description": integration.description,
        "confidence": integration.confidence,
        "connection_config_fields": [
            {
                "name": field.name,
                "description": field.description,
                "placeholder": field.placeholder,
                "required": field.required,
                "secret": field.secret,
                "validation_pattern": field.validation_pattern,
                "default": field.default,
            }
            for field in integration.connection_config
        ],
    }
