"""The pages that a person sees: plain HTML that loads nothing and runs nothing.

Every value is escaped, and the policy of the page holds where escaping should fail: no script, no
image, no style but this one, no frame around it, and a form that leads here and to the client.
"""

import base64
import hashlib
from html import escape
from typing import Final
from urllib.parse import urlsplit

from connectors.local._sandbox._accounts import ACCOUNTS
from connectors.local._sandbox._asked import client_id
from connectors.local._sandbox._consent import ConsentRequest
from connectors.local._sandbox._problems import OAuthProblem
from transports import Headers, Response, Secret

_STYLE: Final = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem;"
    "color:#1a1a1a;background:#fff}"
    "h1{font-size:1.4rem}"
    "code{overflow-wrap:anywhere}"
    ".note{border-left:.3rem solid #b45309;padding-left:.8rem}"
    "label{display:block;padding:.3rem 0}"
    "button{font:inherit;padding:.5rem 1.5rem;margin:.5rem .5rem 0 0}"
)
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
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
    return _page(f"{name}: allow access?", body, 200, f"'self' {_origin(request.redirect_uri)}")


def problem_page(problem: OAuthProblem) -> Response:
    """Why there is nothing to decide."""
    body = f"<h1>This can't go on</h1><p>{escape(problem.description)}.</p>"
    return _page("This can't go on", body, problem.status, "'none'")


def sent_back(address: Secret) -> Response:
    """The way back to the client."""
    # 303, as what was posted here is not to be posted there (RFC 9700, section 4.12).
    return Response(303, _FIELDS.merged({"location": address}), b"", source="local")


_FIELDS: Final = Headers(
    {
        "cache-control": "no-store",
        # With `no-referrer` a browser would post from the origin `null`.
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
    }
)


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


def _page(title: str, body: str, status: int, form_action: str) -> Response:
    policy = (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action {form_action}; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title} (sandbox)</title><style>{_STYLE}</style></head>"
        f"<body><main>{_NOTE}{body}</main></body></html>"
    )
    fields = _FIELDS.merged(
        {"content-type": "text/html; charset=utf-8", "content-security-policy": policy}
    )
    return Response(status, fields, html.encode("utf-8"), source="local")
