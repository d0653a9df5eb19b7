"""A call for a token has to be made as the type's provider wants it made."""

import base64
import hashlib
import json
from typing import Any

import attrs
import pytest

from connectors.catalog import Call, integrations
from connectors.local._sandbox import SandboxProvider
from tests.local.sandbox.players import ORIGIN, Player, at, basic, player, told
from transports import Request, Response, Secret


async def consented(name: str, **changes: Any) -> Player:
    client = player(name)
    client.approve(**changes)
    return client


def error(response: Response) -> object:
    return told(response)["error"]


async def test_a_wrong_secret_is_refused_with_its_status() -> None:
    client = await consented("airtable")
    client.values["client_secret"] = "wrong"
    response = await client.take()
    assert (response.status, error(response)) == (401, "invalid_client")
    assert response.headers["www-authenticate"] == 'Basic realm="sandbox"'
    client = await consented("gmail")
    response = await client.take(client_secret="wrong")
    assert (response.status, error(response)) == (401, "invalid_client")
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("name", "code"), [("github", "incorrect_client_credentials"), ("slack", "invalid_client_id")]
)
async def test_a_wrong_secret_is_refused_inside_a_200(name: str, code: str) -> None:
    client = await consented(name)
    client.values["client_secret"] = "wrong"
    response = await client.take()
    assert (response.status, error(response)) == (200, code)
    success = client.integration.token[0].call.success
    assert success is not None
    assert at(told(response), success.path) != success.equals


@pytest.mark.parametrize("field", ["client_id", "client_secret"])
async def test_the_credentials_may_not_be_left_out(field: str) -> None:
    client = await consented("gmail")
    changes: dict[str, Any] = {field: None}
    response = await client.take(**changes)
    assert (response.status, error(response)) == (401, "invalid_client")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic !!!!",
        "Basic /w==",
        "Bearer abc",
        basic("sandbox-airtable", ""),
        basic("", ""),
    ],
)
async def test_a_header_that_has_no_credentials_is_refused(header: str) -> None:
    client = await consented("airtable")
    request = client.request(client.integration.token[0].call)
    fields = request.headers.merged({"authorization": header})
    response = await client.provider.handle(Request("POST", request.url, fields, request.body))
    assert (response.status, error(response)) == (401, "invalid_client")


async def test_credentials_that_come_twice_are_none() -> None:
    client = await consented("airtable")
    request = client.request(client.integration.token[0].call)
    twice = (*request.headers.fields, ("authorization", request.headers["authorization"]))
    response = await client.provider.handle(Request("POST", request.url, twice, request.body))
    assert (response.status, error(response)) == (401, "invalid_client")


async def test_credentials_are_decoded_as_they_are_encoded() -> None:
    client = await consented("airtable")
    request = client.request(client.integration.token[0].call)
    odd = request.headers.merged({"authorization": basic("a b+c:é", "x")})
    response = await client.provider.handle(Request("POST", request.url, odd, request.body))
    assert response.status == 401
    # Whatever is encoded, and however the scheme is written.
    assert client.values["client_id"] == "sandbox-airtable"
    pair = f"%73andbox%2Dairtable:{client.values['client_secret']}"
    lower = f"bAsIc {base64.b64encode(pair.encode()).decode()}"
    fields = request.headers.merged({"authorization": lower})
    response = await client.provider.handle(Request("POST", request.url, fields, request.body))
    assert response.status == 200


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"grant_type": "password"}, "The parameter 'grant_type' is not 'authorization_code'"),
        ({"grant_type": None}, "The parameter 'grant_type' is missing"),
        ({"code": None}, "There is no value for 'code'"),
        ({"code": ""}, "The parameter 'code' is not '{code}'"),
        ({"audience": "x"}, "The parameter 'audience' is not one that this takes"),
    ],
)
async def test_a_parameter_that_is_wrong_is_named(changes: dict[str, Any], problem: str) -> None:
    client = await consented("gmail")
    response = await client.take(**changes)
    assert response.status == 400
    assert told(response) == {"error": "invalid_request", "error_description": problem}
    assert client.provider.stats.refusals == 1


@pytest.mark.parametrize("kind", ["", "application/json", "text/plain"])
async def test_a_form_is_wanted_where_the_catalogue_has_one(kind: str) -> None:
    client = await consented("discord")
    request = client.request(client.integration.token[0].call)
    fields = request.headers.merged({"content-type": kind})
    response = await client.provider.handle(Request("POST", request.url, fields, request.body))
    assert "The body must be application/x-www-form-urlencoded" in response.body.decode()


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (None, "The body can't be read: it is empty"),
        (b"{", "The body can't be read: it is not JSON"),
        (b"[]", "The body must be a JSON object of strings and numbers"),
        (b'{"code": true}', "The body must be a JSON object of strings and numbers"),
        (b'{"code": {"a": 1}}', "The body must be a JSON object of strings and numbers"),
        (b'{"code": 1}', "The parameter 'grant_type' is missing"),
    ],
)
async def test_json_is_wanted_where_the_catalogue_has_it(body: bytes | None, problem: str) -> None:
    client = await consented("notion")
    request = client.request(client.integration.token[0].call)
    response = await client.provider.handle(Request("POST", request.url, request.headers, body))
    assert told(response) == {"error": "invalid_request", "error_description": problem}


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (b"&x=%FF", "they are not form-encoded UTF-8"),
        (b"&x", "they are not form-encoded UTF-8"),
        (b"&x=\xff", "they are not form-encoded UTF-8"),
        (b"&code=1", "A parameter is there more than once"),
    ],
)
async def test_a_form_that_cant_be_read_is_refused(more: bytes, problem: str) -> None:
    client = await consented("gmail")
    request = client.request(client.integration.token[0].call)
    body = (request.body or b"") + more
    response = await client.provider.handle(Request("POST", request.url, request.headers, body))
    assert (response.status, error(response)) == (400, "invalid_request")
    assert problem in response.body.decode()


async def test_parameters_do_not_belong_into_the_query() -> None:
    client = await consented("gmail")
    request = client.request(client.integration.token[0].call)
    url = f"{request.url}?client_secret=x"
    response = await client.provider.handle(Request("POST", url, request.headers, request.body))
    assert "The query must be empty" in response.body.decode()


async def test_a_header_of_the_template_is_demanded() -> None:
    client = await consented("github")
    request = client.request(client.integration.token[0].call)
    fields = request.headers.merged({"accept": "text/html"})
    response = await client.provider.handle(Request("POST", request.url, fields, request.body))
    problem = "The header 'Accept' must be there once, as 'application/json'"
    assert told(response)["error_description"] == problem
    twice = (*request.headers.fields, ("accept", "application/json"))
    response = await client.provider.handle(Request("POST", request.url, twice, request.body))
    assert told(response)["error_description"] == problem


async def test_two_parts_that_name_different_clients_are_refused() -> None:
    client = player("github")
    await client.connect()
    call = client.integration.revocation
    assert call is not None
    request = client.request(call)
    url = request.url.replace("sandbox-github", "another")
    response = await client.provider.handle(Request("DELETE", url, request.headers, request.body))
    assert "Two parts of the request contradict each other" in response.body.decode()


async def test_the_config_comes_with_each_call_and_is_checked() -> None:
    client = player("microsoft_teams")
    await client.connect()
    client.values["tenant"] = "a tenant"
    response = await client.refresh()
    assert told(response)["error_description"] == "The value of 'tenant' is refused: see its form"
    client.values["tenant"] = ""
    response = await client.refresh()
    assert "The path has not the values" in response.body.decode()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("gmail/token", 404),
        ("gmail/token/1", 404),
        ("gmail/token/x", 404),
        ("gmail/token/-1", 404),
        ("instagram/token/1", 405),
        ("gmail/token/0/more", 400),
        ("airtable/revoke", 404),
        ("clickup/refresh", 404),
        ("gmail/introspect", 404),
        ("gmail", 404),
        ("unheard-of/token/0", 404),
        ("", 404),
        ("gmail/token/%FF", 400),
    ],
)
async def test_what_is_not_there_is_said_so(path: str, status: int) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    response = await SandboxProvider().handle(Request("POST", f"{ORIGIN}/{path}", headers, b""))
    assert response.status == status
    told(response)


@pytest.mark.parametrize("path", ["token/0", "refresh", "revoke"])
async def test_a_form_is_posted(path: str) -> None:
    response = await SandboxProvider().handle(Request("GET", f"{ORIGIN}/gmail/{path}"))
    assert response.status == 405
    assert response.headers["allow"] == "POST"


async def test_a_code_is_good_once_and_its_replay_revokes_what_it_gave() -> None:
    client = player("gmail")
    await client.connect()
    assert (await client.probe()).status == 200
    replay = await client.take()
    assert (replay.status, error(replay)) == (400, "invalid_grant")
    assert (await client.probe()).status == 401
    assert error(await client.refresh()) == "invalid_grant"
    assert client.provider.stats.reuses == 1


async def test_a_code_is_good_for_a_minute() -> None:
    client = await consented("gmail")
    client.clock.now += 59.9
    assert (await client.take()).status == 200
    client = await consented("gmail")
    client.clock.now += 60
    assert error(await client.take()) == "invalid_grant"


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": None},
        {"redirect_uri": "http://localhost:8044/oauth/callback/"},
        {"redirect_uri": "http://127.0.0.1:8044/oauth/callback"},
        {"code": "sandbox-code-guessed"},
        {"code_verifier": None},
        {"code_verifier": "x" * 43},
        {"code_verifier": "short"},
        {"code_verifier": "é" * 43},
    ],
)
async def test_what_belongs_to_a_code_has_to_come_with_it(changes: dict[str, Any]) -> None:
    client = await consented("gmail")
    response = await client.take(**changes)
    assert (response.status, error(response)) == (400, "invalid_grant")
    # It was no use of the code.
    assert (await client.take()).status == 200


async def test_a_verifier_that_could_be_guessed_is_refused() -> None:
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"short").digest()).rstrip(b"=")
    client = await consented("gmail", code_challenge=digest.decode())
    assert error(await client.take(code_verifier="short")) == "invalid_grant"


async def test_a_code_is_refused_in_the_words_of_rfc_6749() -> None:
    # Those of the type are about refresh tokens.
    client = await consented("github")
    response = await client.take(code="unknown")
    assert (response.status, error(response)) == (200, "invalid_grant")


async def test_a_verifier_without_a_challenge_is_refused() -> None:
    client = await consented("gmail", code_challenge=None, code_challenge_method=None)
    assert error(await client.take()) == "invalid_grant"
    assert (await client.take(code_verifier=None)).status == 200


async def test_a_code_or_token_of_one_type_is_none_of_another() -> None:
    client = player("gmail")
    await client.connect()
    other = player("outlook", client.provider)
    other.approve()
    gmail = {"access_token": client.values["access_token"], "code": client.values["code"]}
    other.values |= gmail | {"refresh_token": client.values["refresh_token"]}
    assert error(await other.take()) == "invalid_grant"
    assert error(await other.refresh()) == "invalid_grant"
    assert (await other.probe()).status == 401
    third = player("discord", client.provider)
    third.values |= other.values | third.values
    assert (await third.revoke()).status == 200
    assert (await client.probe()).status == 200


async def test_a_step_takes_only_the_token_of_the_step_before() -> None:
    client = player("instagram")
    client.approve()
    await client.take(0)
    first = client.values["access_token"]
    await client.take(1)
    kept = client.values["access_token"]
    assert kept != first
    assert error(await client.take(1)) == "invalid_grant"
    assert error(await client.refresh(access_token=first)) == "invalid_grant"
    assert error(await client.refresh(access_token="unknown")) == "invalid_grant"
    client.values["access_token"] = "unknown"
    assert error(await client.take(1)) == "invalid_grant"


async def test_a_first_answer_may_be_wrapped_and_a_later_one_flat() -> None:
    client = player("instagram")
    client.approve()
    await client.take(0)
    assert list(client.told) == ["data"]
    assert isinstance(client.told["data"], list)
    assert client.values["user_id"] == "user_id-ada"
    await client.take(1)
    assert client.told["access_token"] == client.values["access_token"]


async def test_a_first_answer_may_be_nested_and_a_renewal_flat() -> None:
    client = player("slack")
    await client.connect()
    assert "access_token" not in client.told
    assert at(client.told, "authed_user.token_type") == "Bearer"
    assert at(client.told, "team.id") == "team_id-ada"
    await client.refresh()
    assert client.told["access_token"] == client.values["access_token"]
    assert client.told["token_type"] == "Bearer"


async def test_a_token_that_is_no_good_gives_nothing_back() -> None:
    # The token is the only credential of this call.
    client = player("dropbox")
    await client.connect()
    assert (await client.revoke()).status == 200
    again = await client.revoke()
    assert (again.status, error(again)) == (401, "invalid_token")
    assert again.headers["www-authenticate"] == 'Bearer realm="sandbox"'
    # Here the client has others, and is only told that it is over (RFC 7009, section 2.2).
    client = player("gmail")
    await client.connect()
    for token in (None, None, "unknown"):
        client.values["refresh_token"] = token or client.values["refresh_token"]
        assert (await client.revoke()).status == 200


async def test_revoking_is_for_clients() -> None:
    client = player("gmail")
    await client.connect()
    assert (await client.revoke(client_secret="wrong")).status == 401
    assert (await client.revoke(token=None)).status == 400
    assert (await client.probe()).status == 200


async def test_an_installation_is_its_own_credential() -> None:
    client = player("wix")
    assert (await client.take(instance_id="0" * 36)).status == 400
    await client.connect("ben")
    installed = client.values["instance_id"]
    assert told(await client.probe())["account"] == {
        "name": "ben",
        "display_name": "Ben Example",
        "email": "ben@acme.example",
    }
    client.clock.now += 3600
    assert (await client.probe()).status == 401
    assert (await client.refresh()).status == 200
    assert (await client.probe()).status == 200
    assert error(await client.refresh(instance_id=None)) == "invalid_request"
    assert error(await client.refresh(instance_id=installed[::-1])) == "invalid_grant"
    assert error(await client.refresh(instance_id="x")) == "invalid_request"


async def test_an_installation_can_be_over() -> None:
    wix = integrations()["wix"]
    end = Call(url="https://wix.example/end", parameters={"token": "{access_token}"})
    provider = SandboxProvider(integrations={"wix": attrs.evolve(wix, revocation=end)})
    client = player("wix", provider)
    client.integration = provider.integrations(ORIGIN)["wix"]
    await client.connect()
    assert (await client.refresh()).status == 200
    assert (await client.revoke()).status == 200
    assert error(await client.refresh()) == "invalid_grant"
    # Who installs it again has a new one.
    await client.connect()
    assert (await client.refresh()).status == 200


async def test_the_api_of_a_type_may_be_where_its_tokens_say() -> None:
    client = player("salesforce")
    await client.connect()
    assert client.values["instance_url"] == f"{ORIGIN}/salesforce/api"
    response = await client.api(f"{client.values['instance_url']}/services/data?x=1")
    assert at(told(response), "path") == "/services/data"


async def test_no_secret_shows_itself() -> None:
    client = player("gmail")
    await client.connect()
    provider = client.provider
    url = Secret(client.authorization_url())
    shown = repr((provider, provider.client("gmail"), provider.approve(url), vars(provider)))
    assert "sandbox-gmail" in shown
    for secret in ("client_secret", "code", "access_token", "refresh_token"):
        assert client.values[secret] not in shown


async def test_an_answer_is_json_of_ascii() -> None:
    client = await consented("gmail")
    response = await client.take(code="é")
    assert response.body.isascii()
    assert json.loads(response.body)["error"] == "invalid_grant"
