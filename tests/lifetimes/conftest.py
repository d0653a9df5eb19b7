"""One service for all tests here, and that each of them leaves no connection to it."""

from collections.abc import Iterator

import pytest

from tests.lifetimes.service import Service, running


@pytest.fixture(scope="session")
def lasting_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("vault")) as service:
        yield service


@pytest.fixture
def service(lasting_service: Service) -> Iterator[Service]:
    lasting_service.asked = 0
    yield lasting_service
    assert lasting_service.connections() == 0
