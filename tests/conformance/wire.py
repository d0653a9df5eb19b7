"""What of a request is compared: everything but what speaks of the HTTP stack that sent it.

These are the request line byte for byte, the JSON of the body, and the header fields, names without
case and values exactly, `Host` among them. Left out are the fields of `OF_THE_STACK`, and a
`Content-Length` that is the length of the body: JSON has several spellings of different lengths,
and a DELETE without a body has either 0 or no field.
"""

from typing import Final

from tests.conformance.stub import Answer, Sent

OF_THE_STACK: Final = {
    "user-agent": "names the client",
    "accept-encoding": "lists what this client can decompress",
    "connection": "says whether the connection is kept, which releases of Node.js do differently",
}

# An answer that every method takes for a good one.
GOOD: Final = Answer(
    {
        "access_token": "t",
        "integration_type": "slack",
        "redirect_url": "https://consent.example/",
        "success": True,
        "phase": "responded",
    }
)


def compared(sent: Sent) -> tuple[str, list[tuple[str, str]], str]:
    """What has to be equal; between fields of different names the order means nothing."""
    implied = ("content-length", str(len(sent.body)))
    told = (field for field in sent.fields if field[0] not in OF_THE_STACK and field != implied)
    return sent.line, sorted(told), sent.json
