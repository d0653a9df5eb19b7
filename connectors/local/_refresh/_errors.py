"""Why a connection has no token to hand out, sorted by who can do something about it."""


class ConnectionUnusableError(Exception):
    """Raised when there is a connection but no token to hand out; the base of the others."""


class ReconnectRequiredError(ConnectionUnusableError):
    """Raised when only the account's owner can help, by giving consent again."""

    def __init__(self, integration_type: str, reason: str) -> None:
        super().__init__(integration_type, reason)
        self.integration_type = integration_type
        """The type of integration."""
        self.reason = reason
        """What ended it, in a word."""

    def __str__(self) -> str:
        return f"The connection to {self.integration_type} has ended: {self.reason}"


class RefreshPostponedError(ConnectionUnusableError):
    """Raised when another token is needed and the provider can't be asked for it yet."""

    def __init__(self, integration_type: str, retry_after: float, problem: str) -> None:
        super().__init__(integration_type, retry_after, problem)
        self.integration_type = integration_type
        """The type of integration."""
        self.retry_after = retry_after
        """Seconds after which it may be asked again."""
        self.problem = problem
        """What stands in the way, for a person."""

    def __str__(self) -> str:
        return f"The token of {self.integration_type} can't be renewed now: {self.problem}"


class ClientMissingError(ConnectionUnusableError):
    """Raised when the vault has no OAuth client for a type of integration."""

    def __init__(self, integration_type: str) -> None:
        super().__init__(integration_type)
        self.integration_type = integration_type
        """The type of integration."""

    def __str__(self) -> str:
        return f"There is no OAuth client for {self.integration_type}"


class ClientRejectedError(ConnectionUnusableError):
    """Raised when the provider refuses the OAuth client itself, not the connection."""

    def __init__(self, integration_type: str, retry_after: float) -> None:
        super().__init__(integration_type, retry_after)
        self.integration_type = integration_type
        """The type of integration."""
        self.retry_after = retry_after
        """Seconds after which it is tried again by itself."""

    def __str__(self) -> str:
        return f"{self.integration_type} refuses the OAuth client: its id or its secret is wrong"
