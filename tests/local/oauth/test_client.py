"""A registration is checked when it is made, not when a provider refuses it."""

import pytest

from connectors.local._oauth import OAuthClient
from tests.tracebacks import rendered
from transports import Secret


def test_a_registration_shows_its_name_only() -> None:
    client = OAuthClient("id", Secret("planted"))
    assert "id" in repr(client)
    assert "planted" not in repr(client)
    assert client == OAuthClient("id", Secret("planted"))
    assert OAuthClient("id").client_secret is None


@pytest.mark.parametrize("client_id", ["", ".", "..", "a\n", "\u00e4", "\ud800", " ", " a", "a "])
def test_an_id_that_cannot_be_sent_is_refused(client_id: str) -> None:
    with pytest.raises(ValueError, match="client_id must be printable ASCII"):
        OAuthClient(client_id)


@pytest.mark.parametrize(
    "secret", ["", "planted\n", "planted\u00e4", "planted\0", " planted", "planted "]
)
def test_a_secret_that_cannot_be_sent_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(ValueError, match="client_secret must be printable ASCII") as caught:
        OAuthClient("id", Secret(secret))
    assert "planted" not in rendered(caught.value)


def test_a_plain_secret_is_refused_and_not_shown() -> None:
    plain = "plan" + "ted"
    with pytest.raises(TypeError, match="client_secret must be a Secret, not str") as caught:
        OAuthClient("id", plain)  # type: ignore[arg-type]
    assert plain not in rendered(caught.value)


def test_an_id_is_a_string() -> None:
    with pytest.raises(TypeError, match="client_id must be a str, not int"):
        OAuthClient(7, Secret("planted"))  # type: ignore[arg-type]


def test_a_space_inside_is_one_of_its_characters() -> None:
    client = OAuthClient("a b", Secret("c d"))
    assert (client.client_id, client.client_secret) == ("a b", Secret("c d"))
