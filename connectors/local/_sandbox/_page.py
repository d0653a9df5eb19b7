"""What a person sees of the sandbox: who asks for what, with a form that leads here and then back.

Every value is escaped.
"""

from html import escape
from typing import Final
from urllib.parse import urlsplit

from connectors.local._pages import GUARDS, page
from connectors.local._sandbox._accounts import ACCOUNTS
from connectors.local._sandbox._asked import client_id
from connectors.local._sandbox._consent import ConsentRequest
from connectors.local._sandbox._problems import OAuthProblem
from transports import Response, Secret

# With `no-referrer` a browser would post from the origin `null`.
_POSTS: Final = {"referrer-policy": "same-origin"}
_NOTE: Final = (
    '<p class="note">This is the sandbox of base44-connectors on your own machine. '
    "No real account is asked, and nothing leaves this machine.</p>"
)


def consent_page(request: ConsentRequest, ticket: Secret) -> Response:
    """Who asks for what, and the two answers that there are.

    Args:
        request: What is asked for.
        ticket: Goes back with the answer, once.
    """
    integration = request.integration
    name = escape(integration.display_name)
    body = (
        f"<h1>Allow <code>{escape(client_id(integration.integration_type))}</code> "
        f"to use your {name} account?</h1>{_scopes(request)}"
        f"<p>You go back to <code>{escape(request.redirect_uri)}</code>.</p>"
        f'<form method="post" action="{escape(f"/{integration.integration_type}/authorize")}">'
        f'<input type="hidden" name="ticket" value="{escape(ticket.reveal())}">'
        f"<fieldset><legend>Pretend to be</legend>{_accounts()}</fieldset>"
        '<button name="decision" value="allow">Allow</button>'
        '<button name="decision" value="deny">Deny</button></form>'
    )
    title = f"{integration.display_name}: allow access?"
    return _page(200, title, body, form_action=f"'self' {_origin(request.redirect_uri)}")


def problem_page(problem: OAuthProblem) -> Response:
    """Why there is nothing to decide."""
    body = f"<h1>This can't go on</h1><p>{escape(problem.description)}.</p>"
    return _page(problem.status, "This can't go on", body)


def sent_back(address: Secret) -> Response:
    """The way back to the client."""
    # 303, as what was posted here is not to be posted there (RFC 9700, section 4.12).
    return Response(303, GUARDS.merged({**_POSTS, "location": address}), b"", source="local")


def _scopes(request: ConsentRequest) -> str:
    if not request.scopes:
        return "<p>It asks for no scopes: what it may do is set where it is registered.</p>"
    items = "".join(f"<li><code>{escape(scope)}</code></li>" for scope in request.scopes)
    return f"<p>It asks for</p><ul>{items}</ul>"


def _accounts() -> str:
    return "".join(
        f'<label><input type="radio" name="account" value="{escape(account.name)}"'
        f"{'' if index else ' checked'}> "
        f"{escape(account.display_name)} ({escape(account.email)})</label>"
        for index, account in enumerate(ACCOUNTS)
    )


def _origin(address: str) -> str:
    parts = urlsplit(address)
    # A policy has no way to write an IPv6 address.
    return f"{parts.scheme}:" if "[" in parts.netloc else f"{parts.scheme}://{parts.netloc}"


def _page(status: int, title: str, body: str, form_action: str = "'none'") -> Response:
    return page(status, f"{title} (sandbox)", _NOTE + body, _POSTS, form_action=form_action)
