"""A FastAPI application: one client for the process, a view for each request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request
from fastapi.testclient import TestClient

from connectors import Client, NotConnectedError
from transports import Request as SentRequest
from transports import Response
from transports.mock import MockTransport, json_response


def answer(request: SentRequest) -> Response:
    if request.url.endswith("/external-auth/tokens/slack"):
        return json_response({"access_token": "xoxp-of-the-app"})
    if request.url.endswith("/app-user-auth/connectors/calendar/token"):
        user = request.headers["on-behalf-of"].removeprefix("Bearer ")
        return json_response({"access_token": f"calendar-of-{user}"})
    return json_response({"detail": "Connector connection not found", "code": "NOT_FOUND"}, 404)


def application(transport: MockTransport) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Client(app_id="my-app", service_token="s", transport=transport) as base44:
            app.state.base44 = base44
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/slack")
    async def slack(request: Request) -> str:
        base44: Client = request.app.state.base44.for_request(request)
        connection = await base44.as_service_role.connectors.get_connection("slack")
        return connection.access_token

    @app.get("/calendar")
    async def calendar(request: Request) -> str:
        base44: Client = request.app.state.base44.for_request(request)
        connectors = base44.as_service_role.connectors
        return (await connectors.get_current_app_user_connection("calendar")).access_token

    @app.get("/github")
    async def github(request: Request) -> str:
        base44: Client = request.app.state.base44.for_request(request)
        try:
            return (await base44.as_service_role.connectors.get_connection("github")).access_token
        except NotConnectedError as error:
            raise HTTPException(409, error.to_dict()) from error

    return app


def test_one_client_serves_every_request() -> None:
    transport = MockTransport(answer)
    with TestClient(application(transport)) as browser:
        assert browser.get("/slack").json() == "xoxp-of-the-app"
        assert browser.get("/slack").json() == "xoxp-of-the-app"
    assert len(transport.calls) == 2


def test_each_user_gets_a_token_of_their_own() -> None:
    with TestClient(application(MockTransport(answer))) as browser:
        for user in ("ada", "grace"):
            answered = browser.get("/calendar", headers={"Authorization": f"Bearer {user}"})
            assert answered.json() == f"calendar-of-{user}"


def test_an_error_is_told_as_facts() -> None:
    with TestClient(application(MockTransport(answer))) as browser:
        answered = browser.get("/github")
    assert answered.status_code == 409
    assert answered.json()["detail"]["code"] == "NOT_FOUND"
