"""A project for each test."""

from pathlib import Path

import pytest

from tests.plugin.projects import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    project.write("pytest.ini", "[pytest]")
    return project
