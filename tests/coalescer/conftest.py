"""What several of the coalescer's tests want."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture
def without_gc() -> Iterator[None]:
    """Only the count of references frees anything."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
