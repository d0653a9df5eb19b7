"""A person at a browser, as far as the tests need one: `browser.py DECISION RECORD URL`.

It opens the page, answers the form of the sandbox's consent page with the decision, follows the way
back, and writes down where it has ended and what it was shown there. With the decision `leave` it
never answers; with `stay` it does not follow the way back, as one that can't reach it.
"""

import html
import json
import re
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlencode, urljoin


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Says where it is sent instead of going there."""

    def redirect_request(self, *_: object) -> None:
        return None


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Redirects())


def main(decision: str, record: str, url: str) -> None:
    pages = [_visit(url)]
    form = re.search(r'action="([^"]+)".*?name="ticket" value="([^"]+)"', pages[0][2], re.DOTALL)
    address = pages[0][1] if form is None else ""
    if form is not None and decision != "leave":
        action, ticket = map(html.unescape, form.groups())
        answer = "deny" if decision == "deny" else "allow"
        body = {"ticket": ticket, "decision": answer, "account": "ada"}
        pages.append(_visit(urljoin(url, action), urlencode(body).encode()))
        address = pages[-1][1]
    if address and decision != "stay":
        pages.append(_visit(address))
    done = {"address": address, "status": pages[-1][0], "page": pages[-1][2]}
    draft = Path(f"{record}.new")
    draft.write_text(json.dumps(done))
    draft.rename(record)


def _visit(url: str, body: bytes | None = None) -> tuple[int, str, str]:
    # As a browser that follows a link from another site says it.
    fields = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }
    request = urllib.request.Request(url, body, {} if body else fields)
    try:
        with _OPENER.open(request, timeout=60) as answer:
            return answer.status, "", answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers.get("Location") or "", error.read().decode()


if __name__ == "__main__":
    main(*sys.argv[1:])
