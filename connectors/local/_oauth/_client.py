"""The registration of an app at a provider."""

import re
from typing import Final

import attrs

from transports import Secret

# RFC 6749, appendix A.1 and A.2. It allows a space at an end, which comes from copying and from
# nowhere else. An id of dots only would be taken out of a path.
_ID: Final = re.compile(r"(?!\.{1,2}\Z)(?! )[ -~]+(?<! )")
_SECRET: Final = re.compile(r"(?! )[ -~]+(?<! )")
_FORM: Final = "must be printable ASCII without a space at an end, and not empty; copy it again"


@attrs.frozen(init=False)
class OAuthClient:
    """What a provider knows an app by (RFC 6749, section 2). Without a secret it is public.

    Raises:
        TypeError: The id is no str, or the secret no `Secret`.
        ValueError: One is empty, has a character that none may have, or a space at an end. The
            secret is not shown.
    """

    client_id: str
    """The name of the registration, which is no secret."""

    client_secret: Secret | None
    """The password that belongs to it."""

    def __init__(self, client_id: str, client_secret: Secret | None = None) -> None:
        error = _id_error(client_id) or _secret_error(client_secret)
        if error is not None:
            del client_secret
            raise error
        self.__attrs_init__(client_id, client_secret)


def _id_error(client_id: object) -> Exception | None:
    if not isinstance(client_id, str):
        return TypeError(f"client_id must be a str, not {type(client_id).__name__}")
    if not _ID.fullmatch(client_id):
        return ValueError(f"client_id {_FORM}")
    return None


def _secret_error(secret: object) -> Exception | None:
    if secret is None:
        return None
    if not isinstance(secret, Secret):
        return TypeError(f"client_secret must be a Secret, not {type(secret).__name__}")
    if not _SECRET.fullmatch(secret.reveal()):
        return ValueError(f"client_secret {_FORM}")
    return None
