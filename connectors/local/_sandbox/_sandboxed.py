"""An integration as it is in the sandbox: the same templates at other addresses, in faster time.

What a provider's URL takes from the config, a tenant or a host, decides nothing here, but it still
has to be sent: it becomes a segment of the path, and is checked there. A config value that is
itself the address of the API (salesforce) becomes the sandbox's own.

A token that lives for a minute can't be a day old before it is renewed. So the ages of the
catalogue shrink as much as the token's life does.
"""

import re
from typing import Final

import attrs

from connectors.catalog import Call, ConfigField, Integration, Refresh, TokenCall, placeholders
from connectors.catalog._hosts import origin_template
from connectors.local._sandbox._addresses import ORIGIN, is_local

LIFETIME: Final = 60.0
"""Seconds that an access token lives, unless somebody says otherwise."""


def sandboxed(integration: Integration, origin: str, *, lifetime: float = LIFETIME) -> Integration:
    """The same integration with every URL led to a sandbox, and its ages scaled to short tokens.

    Args:
        integration: One of the catalogue.
        origin: Where the sandbox is, such as `http://127.0.0.1:8045`; loopback only.
        lifetime: How long its access tokens live.

    Raises:
        ValueError: The origin is no address of this machine.
    """
    if not re.fullmatch(ORIGIN, origin) or not is_local(origin):
        raise ValueError(
            f"A sandbox is on this machine only, at an address such as http://127.0.0.1:8045, "
            f"not {origin!r:.80}."
        )
    return moved(integration, origin, lifetime)


def moved(integration: Integration, origin: str, lifetime: float) -> Integration:
    """The same for an origin that has been checked."""
    at = f"{origin}/{integration.integration_type}"
    authorization, revocation, api = (
        integration.authorization,
        integration.revocation,
        integration.api,
    )
    probe = attrs.evolve(api.probe.call, url=f"{at}/api{_path(api.probe.call.url)}")
    return attrs.evolve(
        integration,
        connection_config=tuple(_field(f, integration, at) for f in integration.connection_config),
        authorization=attrs.evolve(
            authorization, url=_endpoint(f"{at}/authorize", authorization.url)
        ),
        token=tuple(
            _token_call(step, f"{at}/token/{index}") for index, step in enumerate(integration.token)
        ),
        refresh=_refresh(integration.refresh, f"{at}/refresh", lifetime),
        revocation=None if revocation is None else _call(revocation, f"{at}/revoke"),
        introspection_url=None,
        # The sandbox sends people to this machine and to nowhere else.
        loopback_redirect=True,
        api=attrs.evolve(
            api,
            base_url=f"{at}/api{_path(api.base_url)}",
            hosts=(),
            probe=attrs.evolve(api.probe, call=probe),
        ),
    )


def url_values(url: str) -> tuple[str, ...]:
    """The names of the values that follow an endpoint's path, in their order."""
    return tuple(sorted(placeholders(url)))


def _endpoint(at: str, url: str) -> str:
    return "/".join((at, *(f"{{{name}}}" for name in url_values(url))))


def _path(url: str) -> str:
    return url.removeprefix(origin_template(url))


def _field(field: ConfigField, integration: Integration, at: str) -> ConfigField:
    if origin_template(integration.api.base_url) != f"{{{field.name}}}":
        return field
    address = f"{at}/api"
    return attrs.evolve(
        field,
        placeholder=address,
        validation_pattern=re.escape(address),
        validation_error="The address of the sandbox.",
    )


def _call(call: Call, at: str) -> Call:
    return attrs.evolve(call, url=_endpoint(at, call.url))


def _token_call(step: TokenCall, at: str) -> TokenCall:
    return attrs.evolve(step, call=_call(step.call, at))


def _refresh(refresh: Refresh, at: str, lifetime: float) -> Refresh:
    usual = refresh.access_token_lifetime

    def scaled(age: int | None) -> int | None:
        return age if age is None or usual is None else int(age * lifetime / usual)

    return attrs.evolve(
        refresh,
        call=None if refresh.call is None else _token_call(refresh.call, at),
        access_token_lifetime=scaled(usual),
        min_age=scaled(refresh.min_age),
        renew_after=scaled(refresh.renew_after),
        hard_margin=scaled(refresh.hard_margin),
    )
