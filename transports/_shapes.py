"""What a secret looks like, when nobody has said that it is one: its shape, or its field's name."""

import re
from typing import Final

# The values of bearer headers, unless they are a word of prose; JSON Web Tokens; tokens of Slack,
# GitHub, Google, AWS, GitLab, Stripe, Shopify and Base44; the addresses of webhooks and bots, which
# are all that is needed to post there; private keys. None begins with \b: after %3D it would not
# hold. Each matches as soon as it is long enough, so that no text is read twice.
SHAPES: Final = re.compile(
    r"(?i:(?<=bearer )|(?<=bearer%20))(?=[A-Za-z._~+/-]*[0-9]|[^\s]{24})[A-Za-z0-9._~+/-]{8,}=*"
    r"|eyJ[A-Za-z0-9_-]{16,}(?:\.[A-Za-z0-9_-]*)*"
    r"|xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{8,}"
    r"|github_pat_[A-Za-z0-9_]{16,}|gh[a-z]_[A-Za-z0-9]{16,}"
    r"|ya29\.[A-Za-z0-9_-]{8,}"
    r"|AIza[A-Za-z0-9_-]{32,}|AKIA[A-Z0-9]{16}|glpat-[A-Za-z0-9_-]{16,}|xapp-[A-Za-z0-9-]{16,}"
    r"|[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/]{16,}=*|shp[a-z]{2}_[0-9a-fA-F]{32}"
    r"|b44[a-z]_(?:v[0-9]\.)?[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+)*"
    r"|(?<=hooks\.slack\.com/services/)[A-Za-z0-9/]{20,}"
    r"|(?<=/api/webhooks/)[0-9]{8,}/[A-Za-z0-9_-]{20,}"
    r"|(?<=/bot)[0-9]{6,}:[A-Za-z0-9_-]{20,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
)

# How the name of a field ends that holds a secret; without its separators, case and plural.
_FIELDS: Final = (
    "apikey",
    "assertion",
    "authorization",
    "codeverifier",
    "cookie",
    "credential",
    "onbehalfof",
    "password",
    "privatekey",
    "secret",
    "token",
)
_SEPARATORS: Final = str.maketrans("", "", "-_. ")


def plain_name(field: str) -> str:
    """The name of a field without its separators, case and plural."""
    return field.translate(_SEPARATORS).lower().rstrip("s")


def names_a_secret(field: str) -> bool:
    """Does the name of a field say that it holds a secret?"""
    return plain_name(field).endswith(_FIELDS)
