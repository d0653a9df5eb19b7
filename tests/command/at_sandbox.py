"""The command at the sandbox, in the place of all providers: `at_sandbox.py ORIGIN ARGUMENT...`."""

import sys
from collections.abc import Mapping
from functools import partial

import attrs

from connectors._command import run
from connectors.catalog import Integration, integrations
from connectors.local._sandbox import sandboxed


def catalog(origin: str) -> Mapping[str, Integration]:
    known = {name: sandboxed(known, origin) for name, known in integrations().items()}
    # As for an app of no partner programme, and as nobody says that it may be.
    poor = {name: without_refresh_token(known[name]) for name in ("linkedin", "calendly")}
    return {**known, **poor}


def without_refresh_token(integration: Integration) -> Integration:
    (step,) = integration.token
    answer = attrs.evolve(step.answer, refresh_token=None)
    return attrs.evolve(integration, token=(attrs.evolve(step, answer=answer),))


if __name__ == "__main__":
    sys.exit(run(sys.argv[2:], catalog=partial(catalog, sys.argv[1])))
