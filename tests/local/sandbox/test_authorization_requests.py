"""What an authorization request may ask for, and where its user may be sent."""

import pytest

from connectors.local._sandbox import SandboxProvider
from tests.local.sandbox.players import ORIGIN, REDIRECT, STATE, Player, player, query_of
from transports import Request, Response, Secret


async def opened(client: Player, **changes: str | None) -> Response:
    return await client.provider.handle(Request("GET", client.authorization_url(**changes)))


def description(response: Response) -> str:
    return query_of(response.headers["location"])["error_description"]


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:8044/oauth/callback",
        "http://localhost",
        "http://127.0.0.1:1/",
        "http://127.9.9.9/x",
        "https://localhost/callback?a=b",
        "http://[::1]:8044/cb",
    ],
)
async def test_a_user_may_be_sent_to_this_machine(address: str) -> None:
    assert (await opened(player("gmail"), redirect_uri=address)).status == 200


@pytest.mark.parametrize(
    "address",
    [
        "https://example.com/callback",
        "http://localhost.example.com/",
        "http://localhost@example.com/",
        "http://user@localhost/",
        "http://localhost/#fragment",
        "http://localhost\\@example.com/",
        "http://example.com\\@localhost/",
        "http://local host/",
        "http://localhost/\r\nset-cookie:a=b",
        "http://2130706433/",
        "http://0.0.0.0/",
        "http://[::1/",
        "http://[:::1]/",
        "http://[::1]x[/",
        "http://:80/",
        "javascript:alert(1)",
        "com.example.app:/callback",
        "//localhost/",
        "/callback",
        "",
    ],
)
async def test_a_user_is_sent_nowhere_else(address: str) -> None:
    response = await opened(player("gmail"), redirect_uri=address)
    assert response.status == 400
    assert "location" not in response.headers
    assert response.headers["content-type"].startswith("text/html")


async def test_another_machine_can_be_allowed_by_its_whole_address() -> None:
    allowed = "https://tunnel.example.com/callback"
    client = player("gmail", redirect_uris=[allowed])
    assert (await opened(client, redirect_uri=allowed)).status == 200
    assert (await opened(client, redirect_uri=f"{allowed}/more")).status == 400
    with pytest.raises(ValueError, match="is refused: it must be an http or https address"):
        SandboxProvider(redirect_uris=["javascript:alert(1)"])


@pytest.mark.parametrize(
    "changes", [{"client_id": None}, {"client_id": "x"}, {"redirect_uri": None}, {"state": ""}]
)
async def test_nobody_is_sent_back_for_a_client_that_is_not_known(
    changes: dict[str, str | None],
) -> None:
    response = await opened(player("gmail"), **changes)
    assert response.status == 400
    assert "location" not in response.headers


@pytest.mark.parametrize(
    "query", ["%FF=1", "a", "state=1&state=2", "&".join(f"p{i}=" for i in range(200))]
)
async def test_a_query_that_cant_be_read_sends_nobody_back(query: str) -> None:
    client = player("gmail")
    url = f"{client.authorization_url()}&{query}"
    response = await client.provider.handle(Request("GET", url))
    assert response.status == 400
    assert "location" not in response.headers


@pytest.mark.parametrize(
    ("name", "changes", "problem"),
    [
        ("gmail", {"response_type": "token"}, "The parameter 'response_type' is not 'code'"),
        ("gmail", {"response_type": None}, "The parameter 'response_type' is missing"),
        ("gmail", {"access_type": None}, "The parameter 'access_type' is missing"),
        ("gmail", {"extra": "1"}, "The parameter 'extra' is not one that this takes"),
        ("gmail", {'a"b\\é': "1"}, "The parameter 'a?b??' is not one that this takes"),
        ("gmail", {"code_challenge": "short"}, "The code challenge is none of S256"),
        ("gmail", {"code_challenge_method": None}, "'code_challenge_method' is missing"),
        ("gmail", {"code_challenge_method": "plain"}, "'code_challenge_method' is not 'S256'"),
        ("linkedin", {"code_challenge": "x" * 43}, "'code_challenge' is not one that this takes"),
        (
            "airtable",
            {"code_challenge": None, "code_challenge_method": None},
            "This type demands PKCE with S256",
        ),
    ],
)
async def test_a_wrong_request_sends_its_user_back_with_an_error(
    name: str, changes: dict[str, str | None], problem: str
) -> None:
    client = player(name)
    response = await opened(client, **changes)
    assert response.status == 303
    told = query_of(response.headers["location"])
    assert told["error"] == "invalid_request"
    assert problem in told["error_description"]
    assert told["state"] == STATE
    assert "code" not in told
    url = Secret(client.authorization_url(**changes))
    assert client.provider.approve(url).reveal() == response.headers["location"]


async def test_pkce_may_be_left_out_where_it_is_not_demanded() -> None:
    changes: dict[str, str | None] = {"code_challenge": None, "code_challenge_method": None}
    assert (await opened(player("gmail"), **changes)).status == 200


async def test_a_request_without_state_gets_none_back() -> None:
    client = player("gmail")
    told = client.approve(state=None)
    assert set(told) == {"code", "iss"}


async def test_the_config_is_part_of_the_address_and_checked() -> None:
    client = player("gitlab")
    client.values["host"] = "gitlab.com/evil"
    assert "The value of 'host' is refused" in description(await opened(client))
    client.values["host"] = "127.0.0.1"
    # Patterns alone are checked here: nothing is sent there.
    assert (await opened(client)).status == 200


@pytest.mark.parametrize("path", ["", "/", "/gitlab.com/more"])
async def test_the_config_may_not_be_left_out(path: str) -> None:
    client = player("gitlab")
    query = client.authorization_url().partition("?")[2]
    response = await client.provider.handle(
        Request("GET", f"{ORIGIN}/gitlab/authorize{path}?{query}")
    )
    assert "The path has not the values that this URL takes" in description(response)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD"])
async def test_other_methods_are_refused(method: str) -> None:
    response = await SandboxProvider().handle(Request(method, f"{ORIGIN}/gmail/authorize"))
    assert response.status == 405
    assert response.headers["allow"] == "GET, POST"


async def test_no_answer_repeats_a_token_that_was_sent_as_a_name() -> None:
    client = player("gmail")
    code = client.approve()["code"]
    response = await opened(client, **{code: "1"})
    assert "The parameter '[secret]' is not one that this takes" in description(response)
    assert code not in response.headers["location"]
    assert REDIRECT in response.headers["location"]
