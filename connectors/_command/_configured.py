"""What is configured, for a person and for a program; no secret is shown."""

from pathlib import Path
from typing import Final

import anyio

from connectors._command._options import Catalog
from connectors._command._output import (
    NOTHING,
    public_values,
    say_json,
    say_table,
    tell,
    time_text,
)
from connectors.local import Vault
from connectors.local._files import exists
from connectors.local._oauth_records import StoredOAuthApp

_HIDDEN: Final = "[hidden]"


def list_configured(catalog: Catalog, path: Path, *, as_json: bool) -> None:
    """Print what is configured, without its secrets."""
    # A command that only looks makes no vault.
    apps = anyio.run(_listed, path) if exists(path) else ()
    if as_json:
        say_json([_as_json(catalog, app) for app in apps])
    elif apps:
        say_table(_COLUMNS, (_row(catalog, app) for app in apps))
    else:
        tell(f"Nothing is configured in {path}.")
        tell("`connectors configure TYPE` configures something.")


_COLUMNS: Final = (
    "type",
    "client id",
    "comes back to",
    "scopes",
    "connectors",
    "config",
    "problem",
)


async def _listed(path: Path) -> tuple[StoredOAuthApp, ...]:
    async with Vault(path) as vault:
        names = [app.integration_type for app in await vault.apps.list()]
        found = [await vault.apps.get(name) for name in names]
    return tuple(app for app in found if app is not None)


def _row(catalog: Catalog, app: StoredOAuthApp) -> tuple[str, ...]:
    config = _public(catalog, app)
    return (
        app.integration_type,
        app.client_id,
        app.redirect_uri or NOTHING,
        " ".join(app.scopes) or NOTHING,
        " ".join(app.connectors) or NOTHING,
        " ".join(f"{name}={value or _HIDDEN}" for name, value in config.items()) or NOTHING,
        app.problem or NOTHING,
    )


def _as_json(catalog: Catalog, app: StoredOAuthApp) -> dict[str, object]:
    rejected = app.rejected_at
    return {
        "integration_type": app.integration_type,
        "client_id": app.client_id,
        "client_secret": None,
        "redirect_uri": app.redirect_uri,
        "scopes": app.scopes,
        "connectors": app.connectors,
        "connection_config": _public(catalog, app),
        "problem": app.problem,
        "rejected_at": None if rejected is None else time_text(rejected),
    }


def _public(catalog: Catalog, app: StoredOAuthApp) -> dict[str, str | None]:
    return public_values(catalog().get(app.integration_type), app.config or {})
