"""The page to which a provider sends a person back: it completes the consent and says how it ended.

It is seen once, by somebody who wants to close it. So it is plain: no script, nothing loaded from
anywhere, and nothing in it that the provider or the address has put there without escaping. No
cache keeps it and no frame shows it. The address holds a code and a state: they are of no use to
whoever finds them in a browser's history, because both are used up.
"""

import base64
import hashlib
from html import escape
from string import Template
from typing import Final, final

from connectors._events import emit
from connectors.local._connecting import Connected, ConnectingError, ConsentOverError, Consents
from connectors.local._errors import VaultError
from connectors.local._redirects import CALLBACK_PATH
from transports import Headers, Request, Response, Secret

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:4rem auto;padding:0 1rem;"
    "color:#1a1a1a;background:#fff;overflow-wrap:anywhere}h1{font-size:1.4rem}"
)
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_FIELDS: Final = Headers(
    {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-store",
        "content-security-policy": (
            f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'"
        ),
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
)
_PAGE: Final = Template(
    "<!doctype html>\n"
    '<html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1"><title>$title</title>'
    f"<style>{_STYLE}</style></head>\n"
    "<body><main><h1>$title</h1><p>$text</p></main></body></html>\n"
)
_LASTS: Final = "Its token is in the vault and is renewed by itself."
_ENDS: Final = (
    "Its token is in the vault. The provider gave nothing to renew it with, so it has to be "
    "connected again when it ends."
)
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
        if path != CALLBACK_PATH:
            return _page(404, "Not found", "There is nothing here.")
        if request.method != "GET":
            return _page(405, "Not possible", "This page can only be opened.", allow="GET")
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


def _place(request: Request) -> tuple[str, Secret]:
    """The path, and the query hidden before anything can fail."""
    address, _, query = request.url.partition("?")
    return "/" + "/".join(address.split("/")[3:]), Secret(query)


def _page(status: int, title: str, text: str, **fields: str) -> Response:
    body = _PAGE.substitute(title=escape(title), text=escape(text))
    return Response(status, _FIELDS.merged(fields), body.encode("utf-8", "replace"), source="local")
