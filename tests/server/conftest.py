"""A real server process for each test that wants one, in its own data directory, and models to deploy to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import joblib
import pytest
from server_process import LABELS, ROWS, ServerProcess
from sklearn.linear_model import LogisticRegression


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Make servers (not started); each is stopped at the end, and nothing of it is left running."""
    made: list[ServerProcess] = []

    def make(*options: str, data_dir: Path | None = None, before: str = "") -> ServerProcess:
        made.append(ServerProcess(data_dir or tmp_path / "data", *options, before=before))
        return made[-1]

    yield make
    for one in made:
        if one.process is not None:
            one.stop()


@pytest.fixture
def server(new_server: Callable[..., ServerProcess]) -> ServerProcess:
    return new_server().start()


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for the tests of a module that do not disturb each other."""
    server = ServerProcess(tmp_path_factory.mktemp("data")).start()
    yield server
    assert server.stop() == 0


@pytest.fixture
def cleared_server(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    """The server of this module, without a model. A test that ends it, and asks for `new_server`, gets its own."""
    if "new_server" in request.fixturenames:
        yield request.getfixturevalue("new_server")().start()
        return
    shared: ServerProcess = request.getfixturevalue("shared_server")
    shared.clear()
    yield shared
    shared.clear()


@pytest.fixture(scope="session")
def sklearn_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a trained scikit-learn model as `model.joblib`."""
    folder = tmp_path_factory.mktemp("sklearn")
    joblib.dump(LogisticRegression().fit(ROWS, LABELS), folder / "model.joblib")
    return folder


@pytest.fixture(scope="module")
def served(shared_server: ServerProcess, sklearn_dir: Path) -> ServerProcess:
    """The server of this module, which serves a model of scikit-learn as `m`."""
    assert shared_server.deploy(sklearn_dir, framework="SCIKIT_LEARN")["response"]["state"] == "READY"
    return shared_server
