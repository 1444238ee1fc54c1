"""Every check of the project, each in an environment of its own: ``nox -l`` lists them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import nox

HERE = Path(__file__).parent
PROJECT = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))
CLASSIFIER = "Programming Language :: Python :: 3."
SUPPORTED = [c.rpartition(" ")[2] for c in PROJECT["project"]["classifiers"] if c.startswith(CLASSIFIER)]

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "layers", "types", "tests", "hosts", "docs", "package"]


def _works(interpreter: str, version: str) -> bool:
    """Whether a command is a Python of that version; a version manager's empty shim is not."""
    probe = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        said = subprocess.run([interpreter, "-c", probe], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return said.stdout.strip() == version


def _present() -> list[str]:
    """The interpreters of this machine, one for each supported Python that it has."""
    found = []
    managed = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in SUPPORTED:
        places = [
            shutil.which(f"python{version}"),
            *sorted(map(str, managed.glob(f"{version}.*/bin/python"))),
        ]
        if ".".join(map(str, sys.version_info[:2])) == version:
            places.insert(0, sys.executable)
        working = next((place for place in places if place and _works(place, version)), None)
        if working:
            found.append(working)
    return found


def _group(name: str) -> list[str]:
    return list(nox.project.dependency_groups(PROJECT, name))


def _scratch(session: nox.Session) -> Path:
    """A folder for what a session makes.

    Not ``session.create_tmp``, which would send the tests' own temporary folders below this checkout, and so
    below its settings and its conftest.
    """
    folder = Path(session.virtualenv.location).resolve() / "scratch"
    folder.mkdir(exist_ok=True)
    return folder


def _wheel(session: nox.Session) -> str:
    """Build the wheel and give its address: tests judge what a user installs."""
    folder = _scratch(session)
    for old in folder.glob("*.whl"):
        old.unlink()
    session.run("python", "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), ".")
    return next(folder.glob("*.whl")).as_uri()


def _install_wheel(session: nox.Session, *groups: str) -> None:
    wheel = _wheel(session)
    wanted = [requirement for group in groups for requirement in _group(group)]
    session.install(f"vetmail_core[testing,keyring,truststore] @ {wheel}", *wanted)


@nox.session
def lint(session: nox.Session) -> None:
    """Style and formatting: ruff, every rule but those with a reason."""
    session.install(*_group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session(venv_backend="none")
def prose(session: nox.Session) -> None:
    """Phrases that no reader should meet, in src and docs."""
    session.run(sys.executable, "tests/docs/phrases.py")


@nox.session
def layers(session: nox.Session) -> None:
    """The direction of imports, as an exhaustive contract."""
    session.install(*_group("layers"), ".")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """Types, by two checkers."""
    session.install(*_group("types"), "-e", ".[testing,keyring,truststore]")
    session.run("mypy")
    session.run("pyright")


# A file of tests stays in one process: what it sets up once is set up once.
BOTH_CORES = ("-n", "auto", "--dist", "loadfile")
PRESENT = _present()


def _measured(session: nox.Session, *words: str) -> None:
    """Run pytest and record which lines ran, in a file of this session's own: `coverage` joins them.

    In one process: what a plugin imports before the tests begin is seen by no other tool than this one.
    """
    env = {"COVERAGE_FILE": str(HERE / f".coverage.{session.name.partition('-')[0]}")}
    session.run("coverage", "erase", env=env)
    session.run("coverage", "run", "-m", "pytest", *words, env=env)


@nox.session
def quick(session: nox.Session) -> None:
    """The tests without servers, in a minute, from the checkout."""
    session.install(*_group("dev"), "-e", ".")
    session.run("python", "-m", "pytest", "-m", "not wire", *BOTH_CORES, *session.posargs)


@nox.session(python=PRESENT)
def tests(session: nox.Session) -> None:
    """The tests, on each Python present, against the built wheel; the first of them is measured."""
    _install_wheel(session, "tests")
    if session.python == PRESENT[0]:
        _measured(session, *session.posargs)
    else:
        session.run("python", "-m", "pytest", *BOTH_CORES, *session.posargs)


@nox.session(tags=["lowest"])
def lowest(session: nox.Session) -> None:
    """The tests with the oldest direct dependencies that pyproject.toml allows, those of the extras too."""
    wheel = _wheel(session)
    project = PROJECT["project"]
    oldest = [
        bound.replace(">=", "==")
        for bounds in (project["dependencies"], *project["optional-dependencies"].values())
        for bound in bounds
    ]
    session.install(f"vetmail_core[testing,keyring,truststore] @ {wheel}", *oldest, *_group("tests"))
    session.run("python", "-m", "pytest", *BOTH_CORES, *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Every line and branch is run, by `tests` and `integration` together: run those two first."""
    session.install(*_group("coverage"))
    measured = sorted(map(str, HERE.glob(".coverage.*")))
    for wanted in ("tests", "integration"):
        if not any(f".coverage.{wanted}" in name for name in measured):
            session.error(
                f"coverage needs what `nox -s {wanted}` puts down; run `nox -s tests integration` first"
            )
    session.run("coverage", "combine", "--keep", *measured)
    session.run("coverage", "report", *session.posargs)


@nox.session
def hosts(session: nox.Session) -> None:
    """The sample host projects: their own suites, with the test kit."""
    _install_wheel(session, "hosts")
    with session.chdir("examples/plain_host"):
        session.run("python", "-m", "pytest")
        session.run("python", "-m", "unittest", "discover", "-v")
    with session.chdir("examples/trainer_portal"):
        session.run("python", "manage.py", "test", "--noinput", "tests.test_pages", env=_portal(session))


def _portal(session: nox.Session) -> dict[str, str]:
    """Where the sample portal keeps its files: in no checkout."""
    return {"PORTAL_FOLDER": str(_scratch(session) / "portal")}


@nox.session
def portal(session: nox.Session) -> None:
    """The sample portal in a real browser: Debian's chromium and chromium-driver."""
    _install_wheel(session, "portal")
    with session.chdir("examples/trainer_portal"):
        env = {**_portal(session), "PORTAL_SCREENSHOTS": str(HERE / "docs" / "_static" / "portal")}
        session.run("python", "manage.py", "test", "--noinput", *session.posargs, env=env)


@nox.session(python=PRESENT)
def django(session: nox.Session) -> None:
    """Django's mail through ours and its own backend: 5.2, and 6.1 where Python is new enough for it."""
    old = session.python == PRESENT[0]
    _install_wheel(session, "tests")
    session.install("django~=5.2.0" if old else "django~=6.1.0")
    session.run("python", "-W", "error", "-m", "pytest", "tests/django", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Bounded fuzzing; pass --seconds N for longer."""
    _install_wheel(session, "tests")
    for target in sorted(Path("tests/fuzz").glob("fuzz_*.py")):
        session.run("python", str(target), *(session.posargs or ["--seconds", "60"]))


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation, warnings as errors."""
    session.install(*_group("docs"), ".[testing,keyring,truststore]")
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")


@nox.session
def bench(session: nox.Session) -> None:
    """Ratios against peers in the same run; ``-- --quick`` in two minutes."""
    _install_wheel(session, "bench", "tests")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def integration(session: nox.Session) -> None:
    """Real servers and mail programs; their Debian packages stand in tests/integration/packages.txt."""
    _install_wheel(session, "tests")
    options = ("-o", "addopts=", "--import-mode=importlib", "-p", "no:randomly", "-ra")
    _measured(session, *options, "tests/integration", *session.posargs)


@nox.session
def campaign(session: nox.Session) -> None:
    """20,000 emails, 4 workers, 60 kills, with each engine: nobody twice, nobody forgotten. Takes an hour."""
    _install_wheel(session, "tests")
    for engine, ledger, emails in (
        ("work", "postgres", "20000"),
        ("redis", "postgres", "20000"),
        ("rabbitmq", "postgres", "20000"),
        ("work", "sqlite", "5000"),
    ):
        words = ("--engine", engine, "--ledger", ledger, "--emails", emails)
        session.run("python", "-m", "tests.integration.fleet", *words, *session.posargs)


@nox.session
def package(session: nox.Session) -> None:
    """Wheel and sdist into dist/: complete, well described, the same bytes when built twice, with an SBOM."""
    session.install(*_group("package"))
    scratch = _scratch(session)
    wheel, sdist = _built_twice(session, scratch)
    session.run("twine", "check", "--strict", str(wheel), str(sdist))
    session.run("check-wheel-contents", str(wheel))
    unpacked = _complete_sdist(session, sdist, scratch / "unpacked")
    dist = HERE / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir()
    for made in (wheel, sdist):
        shutil.copy(made, dist)
    _bill_of_materials(session, scratch / "user", wheel, dist)
    # Last, as the checkers above are no dependencies of the tests: what a distributor does with the sdist.
    session.install(f"vetmail_core[testing,keyring,truststore] @ {wheel.as_uri()}", *_group("tests"))
    with session.chdir(unpacked):
        session.run("python", "-m", "pytest", "README.md", "tests/test_public_names.py", "tests/preferences")


def _built_twice(session: nox.Session, scratch: Path) -> tuple[Path, Path]:
    """Build sdist and, from it, the wheel; twice, and compare."""
    env = {"SOURCE_DATE_EPOCH": "1767225600"}  # a fixed day: the archive must not tell when it was packed
    sums = []
    for turn in ("first", "second"):
        shutil.rmtree(scratch / turn, ignore_errors=True)
        session.run("python", "-m", "build", "--outdir", str(scratch / turn), ".", env=env)
        sums.append({made.name: made.read_bytes() for made in sorted((scratch / turn).iterdir())})
    if sums[0] != sums[1]:
        session.error("two builds of the same commit differ")
    [wheel] = (scratch / "first").glob("*.whl")
    [sdist] = (scratch / "first").glob("*.tar.gz")
    return wheel.resolve(), sdist.resolve()


def _complete_sdist(session: nox.Session, sdist: Path, folder: Path) -> Path:
    """Unpack the sdist; it holds every file that git keeps, and nothing that git does not."""
    shutil.rmtree(folder, ignore_errors=True)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    [top] = folder.iterdir()
    if (HERE / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=HERE, capture_output=True, check=True).stdout
        kept = {name for name in listed.decode().split("\0") if name and (HERE / name).exists()}
        packed = {path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file()}
        if kept ^ (packed - {"PKG-INFO"}):
            session.error(f"git and sdist differ: {sorted(kept ^ (packed - {'PKG-INFO'}))}")
    return top


def _bill_of_materials(session: nox.Session, user: Path, wheel: Path, dist: Path) -> None:
    """What a user has after installing: the library and its dependencies, without pip and without paths."""
    version = PROJECT["project"]["version"]
    session.run("python", "-m", "venv", "--clear", "--without-pip", str(user))
    python = str(user / ("Scripts" if os.name == "nt" else "bin") / "python")
    install = ["python", "-m", "pip", "--python", python, "install", "--quiet"]
    session.run(*install, *PROJECT["project"]["dependencies"])
    # By name, so that no path of this machine is written down as where it came from.
    session.run(*install, "--no-index", "--find-links", str(wheel.parent), f"vetmail_core=={version}")
    bill = dist / f"vetmail_core-{version}.cdx.json"
    options = ["--pyproject", "pyproject.toml", "--mc-type", "library", "--output-reproducible"]
    session.run("cyclonedx-py", "environment", *options, "--output-file", str(bill), python)
