"""What of a request is compared: everything but what speaks of the HTTP stack that sent it.

These are the request line byte for byte, the JSON of the body, and the header fields, names without
case and values exactly, but for those of `OF_THE_CLIENT`.
"""

from typing import Final

from tests.conformance.stub import Answer, Sent

OF_THE_CLIENT: Final = {
    "user-agent": "names the client",
    "accept-encoding": "says what this client can decompress",
    "connection": "Node.js says keep-alive, which HTTP/1.1 means without saying it",
    "content-length": "counts the body, which the stub reads by it; JSON has several spellings",
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
    fields = sorted(field for field in sent.fields if field[0] not in OF_THE_CLIENT)
    return sent.line, fields, sent.json
