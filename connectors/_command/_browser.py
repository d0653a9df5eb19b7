"""Opens a page in the browser of whoever sits here, if there is one, and waits for nothing."""

import os
import threading
import webbrowser
from contextlib import suppress
from functools import partial

from transports import Secret


def open_page(url: Secret) -> None:
    """Open a page if that can be done; nobody hears if not, so its address is to be shown too.

    The browser, and whatever starts it, may take as long as it likes: the thread that waits for it
    ends with the program.
    """
    threading.Thread(target=partial(_open, url), name="browser", daemon=True).start()


def _open(url: Secret) -> None:
    with suppress(webbrowser.Error, OSError):
        controller = webbrowser.get()
        # One that would take over the terminal is no use: it shows no provider's page as it is.
        if os.environ.get("BROWSER") or type(controller) is not webbrowser.GenericBrowser:
            controller.open(url.reveal())
