"""The `connectors` command, as a script and as `python -m connectors`.

What it needs beyond the package comes with the extra `local`. Without it the command says so in one
line; so nothing of it is imported before that has been looked at.
"""

import sys
from importlib.util import find_spec
from typing import Final

_NEEDED: Final = ("click", "cryptography", "platformdirs", "rich")


def main() -> None:
    """Run the command and exit with its code."""
    try:
        sys.exit(_run())
    except KeyboardInterrupt:  # pragma: no cover - only before the command itself listens for it.
        sys.exit(130)


def _run() -> int:
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"The connectors command needs {', '.join(missing)}: "
            "pip install 'base44-connectors[local]'\n"
        )
        return 2
    from connectors._command import run  # noqa: PLC0415 - it is there only with the extra.

    return run()


if __name__ == "__main__":
    main()
