"""The API of the sandbox answers whoever has a good token, and repeats no token."""

from urllib.parse import quote

import pytest

from tests.local.sandbox.players import ORIGIN, player, told
from transports import FieldValue, Request, Response, Secret


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "X-ODD"])
async def test_any_method_and_path_is_answered(method: str) -> None:
    client = player("gmail")
    await client.connect("cleo")
    response = await client.api(f"{ORIGIN}/gmail/api/v1/any%2Fthing/?q=a+b&q=%C3%A9", method)
    assert told(response) == {
        "sandbox": True,
        "integration_type": "gmail",
        "account": {
            "name": "cleo",
            "display_name": "Cleo Example",
            "email": "cleo@globex.example",
        },
        "scopes": list(client.integration.scopes.examples),
        "method": method,
        "path": "/v1/any/thing/",
        "query": "q=a b&q=é",
    }
    assert client.provider.stats.calls == 1


@pytest.mark.parametrize(
    ("fields", "challenge"),
    [
        ([], 'Bearer realm="sandbox"'),
        ([("authorization", "Basic abc")], 'Bearer realm="sandbox"'),
        ([("authorization", "Bearer a"), ("authorization", "Bearer a")], 'Bearer realm="sandbox"'),
        ([("authorization", "Bearer ")], 'Bearer realm="sandbox", error="invalid_token"'),
        ([("authorization", "Bearer x")], 'Bearer realm="sandbox", error="invalid_token"'),
    ],
)
async def test_who_has_no_good_token_is_told_how(
    fields: list[tuple[str, str]], challenge: str
) -> None:
    client = player("gmail")
    request = Request("GET", f"{ORIGIN}/gmail/api/x", fields)
    response = await client.provider.handle(request)
    assert response.status == 401
    assert response.headers["www-authenticate"] == challenge
    assert client.provider.stats.unauthorized == 1
    assert client.provider.stats.calls == 0


async def test_the_scheme_is_read_in_any_case() -> None:
    client = player("gmail")
    await client.connect()
    token = Secret(f"bEaReR {client.values['access_token']}")
    request = Request("GET", f"{ORIGIN}/gmail/api/x", {"authorization": token})
    assert (await client.provider.handle(request)).status == 200


async def asked(name: str, *fields: str) -> Response:
    client = player(name)
    await client.connect()
    token = Secret(f"Bearer {client.values['access_token']}")
    headers: dict[str, FieldValue] = {"authorization": token, **dict.fromkeys(fields, "x")}
    return await client.provider.handle(Request("GET", f"{ORIGIN}/{name}/api/x", headers))


async def test_a_header_that_the_api_demands_is_demanded() -> None:
    response = await asked("notion")
    assert response.status == 400
    assert told(response) == {"error": "This API needs the header 'Notion-Version'"}
    assert (await asked("notion", "notion-version")).status == 200


async def test_a_header_of_optional_config_is_not() -> None:
    assert (await asked("googleads", "developer-token")).status == 200
    assert (await asked("googleads", "login-customer-id")).status == 400


async def test_no_answer_repeats_what_was_minted() -> None:
    client = player("gmail")
    await client.connect()
    tokens = ("access_token", "refresh_token", "code", "client_secret")
    for token in (client.values[name] for name in tokens):
        odd = "".join(f"%{ord(character):02X}" for character in token)
        for form in (token, odd, f"x{token}y", quote(f"'{token}'")):
            response = await client.api(f"{ORIGIN}/gmail/api/{form}?token={form}&{form}")
            assert response.status == 200
            assert token.encode() not in response.body
            assert b"[secret]" in response.body
