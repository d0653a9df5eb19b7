"""Whoever has the SDK installed pays next to nothing for it in a session that does not use it."""

import subprocess
import sys

from tests.plugin.projects import LIMIT, Project

LOADED = """
def test_what_is_loaded():
    import sys
    ours = {name for name in sys.modules if name.partition(".")[0] in ("connectors", "transports")}
    assert ours == {
        "connectors",
        "connectors._version",
        "connectors._pytest_plugin",
        "connectors._pytest_plugin._hooks",
    }
    assert not {"aiohttp", "anyio", "attr", "cattrs", "structlog", "trio"} & sys.modules.keys()
"""


def test_a_session_that_does_not_use_it_loads_two_modules_of_it(project: Project) -> None:
    project.write("test_it.py", LOADED)
    run = project.run()
    assert run.counts(passed=1), run.output


def test_the_plugin_imports_what_pytest_has_loaded_already() -> None:
    script = (
        "import pytest, sys\n"
        "pytest.console_main\n"
        "before = {*sys.modules}\n"
        "import connectors._pytest_plugin._hooks\n"
        "print(*sorted({*sys.modules} - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True, timeout=LIMIT
    )
    assert done.stdout.split() == [
        "connectors",
        "connectors._pytest_plugin",
        "connectors._pytest_plugin._hooks",
        "connectors._version",
    ]


def test_only_a_guard_that_is_on_listens_to_the_process(project: Project) -> None:
    project.write(
        "test_it.py",
        """
def test_one():
    import sys
    assert "connectors._pytest_plugin._guard" not in sys.modules
""",
    )
    assert project.run().counts(passed=1)
    assert project.run("-o", "connectors_guard=on").counts(failed=1)
