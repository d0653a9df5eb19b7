"""What the chapter on testing shows is a project, and its tests pass as their author runs them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHAPTER = (ROOT / "docs" / "testing.md").read_text()
PROJECT = ROOT / "tests" / "example_project"
BLOCKS = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", CHAPTER, re.DOTALL))

# pytest-asyncio warns whoever has not made a choice.
WARNINGS = ("-W", "error", "-W", "ignore:The configuration option:pytest.PytestDeprecationWarning")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return shutil.copytree(PROJECT, tmp_path / "project")


def run(project: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BASE44_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *WARNINGS, *arguments],
        cwd=project,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_every_example_of_the_chapter_is_a_file_of_the_project() -> None:
    files = {file.name: file.read_text() for file in PROJECT.glob("*.py")}
    assert files == BLOCKS
    assert CHAPTER.count("```python") == len(BLOCKS)


@pytest.mark.parametrize(
    "plugins",
    [
        pytest.param((), id="with the plugins that are installed"),
        pytest.param(("-p", "no:asyncio", "-p", "no:trio"), id="with anyio's"),
        pytest.param(("-p", "no:asyncio", "-p", "no:trio", "-n", "2"), id="with xdist"),
    ],
)
def test_the_project_passes_where_nothing_may_be_recorded(
    project: Path, plugins: tuple[str, ...]
) -> None:
    done = run(project, "-p", "no:cacheprovider", *plugins, CI="true")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 passed" in done.stdout


def test_a_mistake_in_the_project_says_what_to_do(project: Path) -> None:
    test = project / "test_with_the_mock.py"
    test.write_text(test.read_text().replace('{"slack": NOT_CONNECTED}', '{"slak": NOT_CONNECTED}'))
    played = project / "test_with_a_cassette.py"
    played.write_text(played.read_text().replace("#general", "#random"))
    done = run(project, "-p", "no:asyncio")
    assert done.returncode == 1
    assert "Is it 'slak' that is meant?" in done.stdout
    assert 'mock_client({..., "slack": "a-token"})' in done.stdout
    assert "body: recorded " in done.stdout
    assert "--connectors-record=new_episodes" in done.stdout
    assert "cassettes/test_with_a_cassette/test_it_posts.json: not used: POST" in done.stdout
