"""The environment variables of a client, as a test wants them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

NAMES = (
    "BASE44_APP_ID",
    "BASE44_SERVICE_TOKEN",
    "BASE44_ACCESS_TOKEN",
    "BASE44_API_KEY",
    "BASE44_API_URL",
    "BASE44_CASSETTE",
    "BASE44_RECORDED",
    "BASE44_RECORD_MODE",
    "CI",
)


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """These of our variables, and no others."""
    before = {name: os.environ.pop(name) for name in NAMES if name in os.environ}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in NAMES:
            os.environ.pop(name, None)
        os.environ.update(before)
