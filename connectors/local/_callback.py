"""The page to which a provider sends a person back: it completes the consent and says how it ended.

It is seen once, by somebody who wants to close it. The address holds a code and a state: they are
of no use to whoever finds them in a browser's history, because both are used up.
"""

from html import escape
from typing import Final, final

from connectors._events import emit
from connectors.local._connecting import Connected, ConnectingError, ConsentOverError, Consents
from connectors.local._errors import VaultError
from connectors.local._pages import page
from connectors.local._redirects import CALLBACK_PATH
from transports import Headers, Request, Response, Secret

_LASTS: Final = "Its token is in the vault and is renewed by itself."
_ENDS: Final = (
    "Its token is in the vault. The provider gave nothing to renew it with, so it has to be "
    "connected again when it ends."
)
_PURPOSES: Final = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_CLOSE: Final = "You can close this page."


@final
class CallbackPage:
    """Answers at the redirect address.

    Args:
        consents: What completes the consents.
    """

    def __init__(self, consents: Consents) -> None:
        self._consents = consents

    async def handle(self, request: Request, /) -> Response:
        """Complete a consent, and show a person how it ended; whatever comes, a page goes out.

        Cancelled, it behaves as `Consents.complete`.
        """
        path, query = _place(request)
        refused = _refused(path, request)
        if refused is not None:
            return refused
        try:
            return self._connected(await self._consents.complete(query))
        except ConsentOverError as error:
            return self._over(error)
        except ConnectingError as error:
            return _page(400, "Not connected", f"{error}. {_CLOSE}")
        except VaultError as error:
            emit(
                "warning",
                "connectors.local.vault_failed",
                error=type(error).__name__,
                problem=str(error),
            )
            return _page(500, "Not connected", "The vault can't be used. Look at the terminal.")

    def _connected(self, connected: Connected) -> Response:
        text = _LASTS if connected.lasts else _ENDS
        return _page(200, self._title(connected.connection.integration_type), f"{text} {_CLOSE}")

    def _over(self, error: ConsentOverError) -> Response:
        if not error.connected:
            return _page(400, "Not connected", f"{error}. {_CLOSE}")
        text = f"This was completed before, and is not done again. {_CLOSE}"
        return _page(200, self._title(error.integration_type), text)

    def _title(self, integration_type: str) -> str:
        return f"{self._consents.display_name(integration_type)} is connected"


def _refused(path: str, request: Request) -> Response | None:
    """The page for whoever does not open the callback, so that no state is used up."""
    if path != CALLBACK_PATH:
        return _page(404, "Not found", "There is nothing here.")
    if request.method != "GET":
        return _page(405, "Not possible", "This page can only be opened.", allow="GET")
    if _looks_ahead(request.headers):
        return _page(403, "Not yet", "This page is not to be fetched ahead.")
    return None


def _looks_ahead(headers: Headers) -> bool:
    """A browser that only looks ahead must not use up what a person is about to come with."""
    said = (value for name in _PURPOSES for value in headers.get_all(name))
    return any("prefetch" in value.lower() for value in said)


def _place(request: Request) -> tuple[str, Secret]:
    """The path, and the query hidden before anything can fail."""
    address, _, query = request.url.partition("?")
    return "/" + "/".join(address.split("/")[3:]), Secret(query)


def _page(status: int, title: str, text: str, **fields: str) -> Response:
    return page(status, title, f"<h1>{escape(title)}</h1><p>{escape(text)}</p>", fields)
