"""The project's tasks: `nox -l` lists them, `nox -s NAME` runs one, `.ci/run` runs the same.

They run in the environment that nox itself is installed in (`pip install -e '.[test]'` brings nox): no second
environment is built, so a task starts at once and tests what is installed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2024.4"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "test-fast"]

BENCHMARKS = Path("tests/benchmarks")
# Run as a script, each writes the page that it generates from the code: RULES.md, REFERENCE.md.
PAGES = ("aip_magics.checks.docs_page", "aip_magics.commands.reference")


def python(session: nox.Session, *words: str) -> None:
    session.run(sys.executable, *words, external=True)


def pytest(session: nox.Session, *words: str) -> None:
    """Run pytest; what follows `--` on the command line goes to it."""
    python(session, "-m", "pytest", *words, *session.posargs)


@nox.session
def setup(session: nox.Session) -> None:
    """Install the package with its tools, again after pyproject.toml has changed."""
    python(session, "-m", "pip", "install", "-e", ".[test]")


@nox.session(name="test-fast")
def test_fast(session: nox.Session) -> None:
    """Run the tests that need no server, kernel or framework process: one minute on two cores."""
    pytest(session, "-m", "not slow and not network and not benchmark and not browser and not vertex", "-n", "auto")


@nox.session
def test(session: nox.Session) -> None:
    """Run all tests but those that need the network, a browser, Vertex AI's SDK or a quiet machine."""
    pytest(session, "-n", "auto")


@nox.session(name="test-network")
def test_network(session: nox.Session) -> None:
    """Run the tests that install from the package registry."""
    pytest(session, "-q", "-m", "network")


@nox.session(name="test-vertex")
def test_vertex(session: nox.Session) -> None:
    """Run the tests with Vertex AI's SDK and Google's model server; installs both."""
    python(session, "-m", "pip", "install", "-e", ".[vertex-test,test]")
    # The model server requires an older Starlette than the embedded server, so it gets an environment of its own.
    environment = Path(".nox/model-server").absolute()
    python(session, "-m", "venv", str(environment))
    model_server = str(environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    packages = ("google-cloud-aiplatform[prediction]>=2", "scikit-learn")
    session.run(model_server, "-m", "pip", "install", *packages, external=True)
    session.env["AIP_CPR_PYTHON"] = model_server
    pytest(session, "-q", "-n", "0", "-m", "vertex")


@nox.session(name="test-browser")
def test_browser(session: nox.Session) -> None:
    """Run the tests in Chromium; installs JupyterLab, Notebook 7 and Playwright. SCREENSHOTS=DIR keeps the pictures."""
    python(session, "-m", "pip", "install", "-e", ".[browser,test]")
    pytest(session, "-q", "-n", "0", "-m", "browser", "tests/browser")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format and spelling."""
    python(session, "-m", "ruff", "check", ".")
    python(session, "-m", "ruff", "format", "--check", ".")
    python(session, "-m", "codespell_lib", ".")


@nox.session
def fix(session: nox.Session) -> None:
    """Fix what ruff can fix, and format."""
    python(session, "-m", "ruff", "check", "--fix", ".")
    python(session, "-m", "ruff", "format", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types with mypy, strictly."""
    python(session, "-m", "mypy")


@nox.session
def texts(session: nox.Session) -> None:
    """Extract the texts into the catalogues, compile these, and list what is to be translated."""
    python(session, "tests/i18n/catalogues.py")


@nox.session
def docs(session: nox.Session) -> None:
    """Regenerate RULES.md, REFERENCE.md and the panel in the READMEs."""
    for module in PAGES:
        python(session, "-m", module)
    python(session, "tests/notebook/readme_run.py")


@nox.session
def bench(session: nox.Session) -> None:
    """Run one benchmark and print its table: `nox -s bench -- upload`. Needs a quiet machine."""
    names = sorted(path.stem.removeprefix("test_bench_") for path in BENCHMARKS.glob("test_bench_*.py"))
    if not session.posargs or session.posargs[0] not in names:
        session.error(f"name one benchmark: nox -s bench -- {'|'.join(names)}")
    name, *more = session.posargs
    file = os.fspath(BENCHMARKS / f"test_bench_{name}.py")
    python(session, "-m", "pytest", "-n", "0", "-s", "-m", "benchmark", file, *more)
