"""The `connectors` command, as a script and as `python -m connectors`.

What it needs beyond the package comes with the extra `local`. Without it the command says so in one
line; so nothing of it is imported before that has been looked at. And nothing at all is imported
before Ctrl-C is listened for, and next to nothing before it is held back.
"""

import sys


def main() -> None:
    """Run the command and exit with its code."""
    try:
        code = _run()
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def _run() -> int:
    from connectors._interrupts import held  # noqa: PLC0415 - while Ctrl-C is listened for.

    with held():
        if _lacks_something():
            return 2
        from connectors._command import run  # noqa: PLC0415 - it is there only with the extra.
    return run()


def _lacks_something() -> bool:
    from importlib.util import find_spec  # noqa: PLC0415 - while Ctrl-C is held back.

    needed = ("click", "cryptography", "platformdirs", "rich")
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"The connectors command needs {', '.join(missing)}: "
            "pip install 'base44-connectors[local]'\n"
        )
    return bool(missing)


if __name__ == "__main__":
    main()
