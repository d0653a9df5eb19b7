"""Everything that has to hold before a change is taken: `nox` runs it all, `nox -s tests` a part.

Each session has a fresh environment with no more in it than it needs. The tests run on every
CPython that is supported and found on this machine, and on one if there is only one; what they
cover is counted on the oldest of them.
"""

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import nox

nox.needs_version = ">=2025.11"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = True

ROOT = Path(__file__).parent
DEMO_LIMIT = 30
PROJECT = nox.project.load_toml("pyproject.toml")
OLDEST = (3, 11)

# What a Python says of itself, if it runs at all and has what the library needs of it.
INTRODUCE = """
import json, sqlite3, ssl, sys, sysconfig
print(json.dumps({
    "cpython": sys.implementation.name == "cpython",
    "version": sys.version_info[:2],
    "final": sys.version_info.releaselevel == "final",
    "gil": not sysconfig.get_config_var("Py_GIL_DISABLED"),
}))
"""

# Run on the installed wheel, isolated from the folder it is run in.
CHECK_WHEEL = """
import sys
from importlib.resources import files
from pathlib import Path
import connectors, transports
heavy = {"aiohttp", "connectors.local", "structlog"} & sys.modules.keys()
assert not heavy, f"`import connectors` loads {sorted(heavy)}"
for package in (connectors, transports):
    assert Path(package.__file__).is_relative_to(sys.prefix), package.__file__
    assert files(package).joinpath("py.typed").is_file(), package
from connectors.catalog import integrations
assert integrations(), "the catalogue is empty"
"""


def candidates() -> Iterator[Path]:
    """Files that may be a Python: the running one, those on the PATH, and all of pyenv's."""
    yield Path(sys.executable)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    on_path = map(Path, os.environ["PATH"].split(os.pathsep))
    for folder in (*on_path, *sorted(pyenv.glob("versions/*/bin"))):
        for file in sorted(folder.glob("python3*")):
            if re.fullmatch(r"python3(\.\d+)?", file.name):
                yield file


def version_of(python: Path) -> tuple[int, int] | None:
    """The version of a Python that the tests can run on; None for any other file.

    It is run to find out: a shim of pyenv is there for versions that are not.
    """
    try:
        asked = subprocess.run(  # noqa: S603 - a file that is called Python is run to know it.
            [python, "-c", INTRODUCE], capture_output=True, check=True, timeout=20
        )
        told = json.loads(asked.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    major, minor = told["version"]
    usable = told["cpython"] and told["final"] and told["gil"] and (major, minor) >= OLDEST
    return (major, minor) if usable else None


def find_pythons() -> list[str]:
    """The versions to test on, such as `3.12`, each made findable for nox."""
    found: dict[tuple[int, int], Path] = {}
    for python in candidates():
        version = version_of(python)
        if version is not None:
            found.setdefault(version, python)
    # Behind what is on the PATH already, so that nothing there is hidden.
    folders = (str(python.parent) for python in found.values())
    os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *folders])
    return [f"{major}.{minor}" for major, minor in sorted(found)]


def groups(*names: str) -> list[str]:
    """The requirements of dependency groups of `pyproject.toml`."""
    return list(nox.project.dependency_groups(PROJECT, *names))


@nox.session
def lint(session: nox.Session) -> None:
    """The rules of style, the formatting, and which module may import which."""
    session.install(*groups("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """The types inside, and how complete they are for who imports the packages."""
    # Pyright runs on Node.js; where there is none, it can be had as a package of Python.
    node = [] if shutil.which("node") else ["pyright[nodejs]"]
    session.install(".[local]", *groups("types"), *node)
    # The folders of the tests are no packages, so their modules are named by their paths.
    folders = ["connectors", "transports", "tests", "benchmarks", "noxfile.py"]
    session.run("mypy", "--explicit-package-bases", *folders)
    session.chdir(session.create_tmp())
    for package in ("connectors", "transports"):
        session.run("pyright", "--verifytypes", package, "--ignoreexternal")


# Never reused: what the extra brought in the last run would hide that the base lacks it.
@nox.session(reuse_venv=False)
def build(session: nox.Session) -> None:
    """The wheel, made from the sdist: what is in it, and that it works alone."""
    uv = session.venv_backend == "uv"
    session.install("build[uv]" if uv else "build[virtualenv]")
    dist = Path(session.create_tmp(), "dist").resolve()
    shutil.rmtree(dist, ignore_errors=True)
    installer = ["--installer", "uv"] if uv else []
    session.run("python", "-m", "build", *installer, "--outdir", str(dist), silent=True)
    (wheel,) = dist.glob("*.whl")
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    if {top for top in tops if not top.endswith(".dist-info")} != {"connectors", "transports"}:
        session.error(f"The wheel has {sorted(tops)}")

    session.install(str(wheel))
    session.chdir(dist)
    session.run("python", "-I", "-c", CHECK_WHEEL)
    told = session.run("connectors", "--help", silent=True, success_codes=[1, 2])
    if "base44-connectors[local]" not in str(told) or "Traceback" in str(told):
        session.error(f"Without the extra `local` the command says: {told}")
    session.install(f"{wheel}[local]")
    session.run("connectors", "--help", silent=True)
    # A machine may be busy with something else once, not twice.
    if not any(seconds_of_demo(session) < DEMO_LIMIT for _ in range(2)):
        session.error(f"The demo takes longer than {DEMO_LIMIT} s.")


def seconds_of_demo(session: nox.Session) -> float:
    """How long the demo takes, with nothing beside it."""
    began = time.monotonic()
    session.run("connectors", "demo", silent=True)
    return time.monotonic() - began


CONFORMANCE = ROOT / "tests" / "conformance"


def install_locked(session: nox.Session, npm: str, folder: Path) -> Path:
    """Have npm install what the lock names, and say where."""
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(CONFORMANCE / name, folder)
    with session.chdir(folder):
        session.run(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", external=True)
    return folder / "node_modules"


def unpack_cli(session: nox.Session, npm: str, folder: Path) -> Path:
    """Unpack the official CLI as npm has it, without what it depends on, and say where.

    Its connectors need none of that, and a part of it is not on npm.
    """
    wanted = json.loads((CONFORMANCE / "cli.json").read_bytes())
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with session.chdir(folder):
        package = f"{wanted['name']}@{wanted['version']}"
        session.run(npm, "pack", package, "--ignore-scripts", external=True, silent=True)
    (archive,) = folder.glob("*.tgz")
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != wanted["integrity"]:
        session.error(f"{package} is not what it was: its hash is sha512-{digest}")
    shutil.unpack_archive(archive, folder)
    return folder / "package"


@nox.session
def conformance(session: nox.Session) -> None:
    """The official SDK and CLI and a certified provider, from npm; needs Node.js and npm."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        session.skip("there is no Node.js with npm on this machine")
    session.install("-e", ".[local]", *groups("test"))
    packages = Path(session.create_tmp(), "npm").resolve()
    packages.mkdir(exist_ok=True)
    installed = {
        "BASE44_CONFORMANCE_NODE_MODULES": str(install_locked(session, npm, packages)),
        "BASE44_CONFORMANCE_CLI": str(unpack_cli(session, npm, packages / "cli")),
    }
    session.run("pytest", str(CONFORMANCE), *session.posargs, env=installed)


@nox.session
def browser(session: nox.Session) -> None:
    """The pages that a person sees, in a headless Chromium; needs one on the PATH."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        session.skip("there is no Chromium on this machine")
    session.install("-e", ".[local]", *groups("test"))
    session.run("pytest", "tests/browser", *session.posargs, env={"BASE44_BROWSER": chromium})


# The older one does not work with the aiohttp that this project needs, so it has one of its own.
@nox.session
@nox.parametrize(
    "recorders",
    [
        nox.param(("vcrpy", "aiohttp"), id="current"),
        nox.param(("vcrpy==5.1.0", "aiohttp<3.14"), id="5.1.0"),
    ],
)
def cassettes(session: nox.Session, recorders: tuple[str, str]) -> None:
    """Cassettes that vcrpy and betamax record, played here, and ours, played by vcrpy."""
    session.install("-e", ".[local,yaml]", *groups("test"))
    folder = Path(session.create_tmp(), "recorders").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    session.install("--target", str(folder), *recorders, "betamax", "requests")
    env = {"BASE44_VCRPY": str(folder)}
    session.run("pytest", "tests/cassettes", *session.posargs, env=env)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """The benchmarks, all of them; arguments after `--` go to each, such as `--rounds 5`."""
    session.install("-e", ".[local]", *groups("bench"))
    env = {}
    npm = shutil.which("npm")
    if npm is not None:
        packages = Path(session.create_tmp(), "npm").resolve()
        packages.mkdir(exist_ok=True)
        env["BASE44_CONFORMANCE_NODE_MODULES"] = str(install_locked(session, npm, packages))
    session.run("python", "-m", "benchmarks", *session.posargs, env=env)


PYTHONS = find_pythons()


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The tests, measured on the oldest Python; arguments after `--` go to pytest."""
    session.install("-e", ".[local]", *groups("test"))
    # Half of the time is spent on waiting for disks and processes, so every core has its share.
    run = ("pytest", "--numprocesses=auto", "--ignore=tests/conformance", *session.posargs)
    if session.python != PYTHONS[0]:
        session.run(*run)
        return
    for old in ROOT.glob(".coverage.*"):
        old.unlink()
    data = {"COVERAGE_FILE": str(ROOT / f".coverage.{session.python}")}
    session.run("coverage", "run", "-m", *run, env=data)


@nox.session
def coverage(session: nox.Session) -> None:
    """That the tests, with the processes they start, reached every line and branch."""
    session.install("coverage[toml]")
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")
