"""The `connectors` command: a person's way to the local backend.

One module for each command or for several that belong together, each imported when it is asked
for. Data goes to standard output; whatever is said to a person besides goes to standard error. What
goes wrong is a `Failure` (exit code 1) or a `click.UsageError` (2), raised where it is found and
printed in one place, `_failures`. A token is printed by `get --reveal`, `dev` and `user-token`, as
that is what they are for, and by nothing else.
"""

from connectors._command._group import run

__all__ = ["run"]
