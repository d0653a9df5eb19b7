"""Which HTTP messages a local server answers at all: none that a web page could have sent.

A page that a browser has open may send requests to this machine, and may point a name of its own at
127.0.0.1 so as to be taken for the server's own page (DNS rebinding). Against the second stands the
`Host`, which then is that name; against the first `Origin` and `Sec-Fetch-Site`, which a page can't
choose. There are no CORS headers anywhere, so no answer is readable from another origin either.

One thing a page of another origin may do: lead the person in front of it here, as a provider does
after a consent. Then the browser shows the answer to that person and to nobody else, and it sends
no credential that a page would have had to give it.
"""

from collections.abc import Collection, Iterable
from typing import final

from connectors.local._answers import Refusal
from connectors.local._loopback import in_url
from transports import Headers

_LOOPBACK: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
_OWN_SITE = frozenset({"same-origin", "none"})
# What a browser says of a whole page that is opened (Fetch Metadata), not of a frame in another.
_OPENING = {"sec-fetch-mode": ("navigate",), "sec-fetch-dest": ("document",)}
_HTTP_PORT = 80


@final
class Guard:
    """Refuses what comes under a foreign name or from a foreign page.

    Args:
        hosts: The names under which the server is known, besides those of the loopback; one with
            a port of its own is known under that one alone.
        port: The port on which it listens.
    """

    def __init__(self, hosts: Iterable[str], port: int) -> None:
        names = (*_LOOPBACK, *(in_url(host).lower() for host in hosts))
        self._hosts = frozenset(form for name in names for form in _forms(name, port))
        self._shown = f"http://localhost:{port}"

    def knows(self, headers: Headers) -> bool:
        """Does a message come under a name of the server?"""
        return headers.get("host", "").lower() in self._hosts

    def check(self, method: str, headers: Headers, also: Collection[str] = ()) -> str:
        """Let a message pass.

        Args:
            method: Its method.
            headers: Its fields.
            also: Hosts under which this one may come, besides those of the server.

        Returns:
            Its `Host`.

        Raises:
            Refusal: 400 without one `Host`, 421 with a foreign one, 403 from a foreign page.
        """
        hosts = headers.get_all("host")
        if len(hosts) != 1:
            raise Refusal(400, "A request must have the header 'host' exactly once")
        if not self.knows(headers) and hosts[0].lower() not in also:
            raise Refusal(421, f"This server does not answer under that host; use {self._shown}")
        own_page = all(origin == f"http://{hosts[0]}" for origin in headers.get_all("origin"))
        own_site = _OWN_SITE.issuperset(headers.get_all("sec-fetch-site"))
        if not own_page or not (own_site or _opens_a_page(method, headers)):
            raise Refusal(403, "This server does not answer web pages of other origins")
        return hosts[0]


def _opens_a_page(method: str, headers: Headers) -> bool:
    return method == "GET" and all(headers.get_all(name) == said for name, said in _OPENING.items())


def _forms(name: str, port: int) -> tuple[str, ...]:
    if name.rpartition("]")[2].count(":"):
        return (name,)
    # A browser leaves out the port that belongs to the scheme.
    return (f"{name}:{port}", name) if port == _HTTP_PORT else (f"{name}:{port}",)
