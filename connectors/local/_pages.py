"""The pages that a person sees: plain HTML that loads nothing and runs nothing.

Whoever builds the body escapes every value in it, and the policy of the page holds where that
should fail: no script, no image, no style but this one, no frame around it, and no form that leads
where it is not meant to. No cache keeps it.
"""

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from string import Template
from typing import Final

from transports import Headers, Response, Secret

_STYLE: Final = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem;"
    "color:#1a1a1a;background:#fff;overflow-wrap:anywhere}"
    "h1{font-size:1.4rem}"
    ".note{border-left:.3rem solid #b45309;padding-left:.8rem}"
    "label{display:block;padding:.3rem 0}"
    "button{font:inherit;padding:.5rem 1.5rem;margin:.5rem .5rem 0 0}"
)
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_PAGE: Final = Template(
    "<!doctype html>\n"
    '<html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1"><title>$title</title>'
    f"<style>{_STYLE}</style></head>\n"
    "<body><main>$body</main></body></html>\n"
)
_POLICY: Final = Template(
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action $form_action; "
    "frame-ancestors 'none'; base-uri 'none'"
)

GUARDS: Final = Headers(
    {
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
)
"""What a browser is told of every answer that is for a person."""


def page(
    status: int,
    title: str,
    body: str,
    fields: Mapping[str, str | Secret] | None = None,
    *,
    form_action: str = "'none'",
) -> Response:
    """An answer that shows a page.

    Args:
        status: Of the answer.
        title: As text.
        body: What is below, as HTML.
        fields: Header fields besides those that a page always has, or instead of them.
        form_action: Where its forms may lead, as a source list of CSP.
    """
    html = _PAGE.substitute(title=escape(title), body=body)
    policy = _POLICY.substitute(form_action=form_action)
    told = {"content-type": "text/html; charset=utf-8", "content-security-policy": policy}
    all_fields = GUARDS.merged(told).merged(fields or {})
    return Response(status, all_fields, html.encode("utf-8", "replace"), source="local")
