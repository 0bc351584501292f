"""Real browsers: Chromium, driven by Playwright, at a JupyterLab and a Notebook server of the tests' own.

Run by `pytest -m browser`, with `aip-magics[browser]` installed and a Chromium on the path. Pictures of the main states
are kept in the directory that the environment variable SCREENSHOTS names; where it names none they are thrown away.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from jupyter_app import Jupyter
    from notebook_page import NotebookPage

NAMES = ("chromium", "chromium-browser", "google-chrome")
SIZE = {"width": 1280, "height": 2000}
PATIENCE = 20_000  # milliseconds
LOADING = 3.0  # seconds that the slow model takes to load


class SlowToLoad:
    """Takes its time when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return time.sleep, (LOADING,)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the pictures go."""
    named = os.environ.get("SCREENSHOTS")
    directory = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One browser for all tests."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs aip-magics[browser]")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    with playwright.sync_playwright() as driver:
        if path is None and not Path(driver.chromium.executable_path).exists():
            pytest.skip("needs Chromium: `apt-get install chromium` or `playwright install chromium`")
        browser = driver.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, chromium: Any, iris_export: Path) -> Iterator[Jupyter]:
    """JupyterLab 4."""
    with _served("lab", tmp_path_factory.mktemp("lab"), iris_export) as found:
        yield found


@pytest.fixture(scope="session")
def notebook7(tmp_path_factory: pytest.TempPathFactory, chromium: Any, iris_export: Path) -> Iterator[Jupyter]:
    """Notebook 7."""
    with _served("notebook", tmp_path_factory.mktemp("notebook7"), iris_export) as found:
        yield found


@pytest.fixture(scope="session")
def context(chromium: Any) -> Iterator[Any]:
    """What the tabs share: the cache of the pages' scripts."""
    made = chromium.new_context(viewport=SIZE)
    yield made
    made.close()


@pytest.fixture
def opened(request: pytest.FixtureRequest, context: Any, shots: Path) -> Iterator[NotebookPage]:
    """A tab at JupyterLab, or at the server whose fixture is the parameter. It may load from 127.0.0.1 alone."""
    from notebook_page import NotebookPage
    from playwright.sync_api import expect

    server = request.getfixturevalue(getattr(request, "param", "lab"))
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    outside: list[str] = []
    page.on("request", lambda asked: outside.append(asked.url) if _is_outside(asked.url) else None)
    made = NotebookPage(page, server, shots)
    yield made
    made.shot(f"last-{request.node.name.partition('[')[0]}")  # what a failed test saw
    page.close()
    server.end_kernels()
    assert outside == []


@contextlib.contextmanager
def _served(app: Any, directory: Path, iris: Path) -> Iterator[Jupyter]:
    """A server whose directory holds two models: `models/iris`, and `models/slow`, which takes its time to load."""
    import joblib
    from jupyter_app import jupyter

    with jupyter(app, directory) as found:
        shutil.copytree(iris, found.directory / "models" / "iris")
        slow = found.directory / "models" / "slow"
        slow.mkdir()
        model = joblib.load(iris / "model.joblib")
        model.slow_ = SlowToLoad()
        joblib.dump(model, slow / "model.joblib")
        yield found


def _is_outside(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1"
