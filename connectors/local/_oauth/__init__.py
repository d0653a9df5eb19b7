"""OAuth 2.0 without I/O: requests are built, answers are read, and the catalogue says how.

No function here knows a provider by its name, sends anything, or asks a clock. A caller sends what
it gets through a `Transport` and passes on what came back:

    authorization_url   ->  a person's browser  ->  read_callback
    CodeExchange        ->  Tokens, or TokenError
    refresh_request     ->  refresh_result      ->  Tokens, or RefreshFailure
    revocation_request  ->  revocation_result
"""

from connectors.local._oauth._answers import Tokens
from connectors.local._oauth._authorization import authorization_url, scopes_error
from connectors.local._oauth._callback import Callback, callback_state, needs_code, read_callback
from connectors.local._oauth._chains import is_renewable, lock_key, uses_refresh_token
from connectors.local._oauth._client import OAuthClient
from connectors.local._oauth._errors import ConsentError, OAuthError, TokenError
from connectors.local._oauth._exchange import CodeExchange
from connectors.local._oauth._lifetimes import clock_skew
from connectors.local._oauth._refreshing import RefreshFailure, refresh_request, refresh_result
from connectors.local._oauth._revoking import (
    RevocationOutcome,
    revocation_request,
    revocation_result,
)
from connectors.local._oauth._unguessable import code_challenge, new_state, new_verifier
from connectors.local._oauth._verdicts import FailureKind

__all__ = [
    "Callback",
    "CodeExchange",
    "ConsentError",
    "FailureKind",
    "OAuthClient",
    "OAuthError",
    "RefreshFailure",
    "RevocationOutcome",
    "TokenError",
    "Tokens",
    "authorization_url",
    "callback_state",
    "clock_skew",
    "code_challenge",
    "is_renewable",
    "lock_key",
    "needs_code",
    "new_state",
    "new_verifier",
    "read_callback",
    "refresh_request",
    "refresh_result",
    "revocation_request",
    "revocation_result",
    "scopes_error",
    "uses_refresh_token",
]
