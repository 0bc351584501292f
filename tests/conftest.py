"""What all tests share: a home of their own, real models, an embedded server that is gone afterwards.

It also says which tests are slow, so that `-m "not slow"` is the suite that is run after every change.
"""

from __future__ import annotations

import gc
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# Where the environment forbids bytecode, every process compiles what it imports, and pytest rewrites Hypothesis and the
# tests anew: ten seconds for each process of pytest, half a second for each of the hundreds that the tests start.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Threads of BLAS that wait for each other on busy cores make the training of a tiny model take a second instead of two
# milliseconds. NumPy and SciPy read this when the tests' modules import them; what the tests start is left alone.
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
os.environ.update(dict.fromkeys(ONE_THREAD, "1"))

import filelock
import hypothesis
import pytest
from isolation import isolate

from aip_magics.targets import local

# The Cloud Storage client asks for bucket metadata in a background thread; a test may be over before it is.
os.environ["DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"] = "1"


ROOT = Path(__file__).parent
# Who asks for one of these starts a server, a worker or a kernel.
SLOW_FIXTURES = frozenset(
    {
        "built", "cleared_server", "embedded", "endpoint", "exports", "forked", "gone", "new_server", "object_server",
        "parents", "pool", "prefix", "read", "run", "server", "shared_server", "shell", "sklearn_dir", "spawned",
        "start_server", "started", "startup", "tensorflow_exports", "xgboost_dir",
    }
)  # fmt: skip
# They are not even imported where slow tests are not wanted.
SLOW_FOLDERS = frozenset({ROOT / name for name in ("benchmarks", "browser")})
SDK_TESTS = "test_vertex_sdk_"  # in the names of files that import Vertex AI's SDK, which takes seconds
HOME_NUMBERS = itertools.count()


# A time never fails a test: the machine may be doing other things.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.register_profile("fast", deadline=None, max_examples=20)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    # Neighbours share the fixtures of their module: each process begins with a run of neighbours and takes some of
    # another's when it has none left. By default every process would start every server.
    if config.getoption("numprocesses", None) and config.getoption("dist") == "no":
        config.option.dist = "worksteal"


def pytest_configure(config: pytest.Config) -> None:
    # A shell's background job ignores the signal of Ctrl-C, and so would all that the tests interrupt.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    hypothesis.settings.load_profile("fast" if "not slow" in config.getoption("markexpr") else "untimed")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    markers = config.getoption("markexpr")
    if "not vertex" in markers and collection_path.name.startswith(SDK_TESTS):
        return True
    return True if "not slow" in markers and SLOW_FOLDERS & {collection_path, *collection_path.parents} else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if SLOW_FIXTURES.intersection(fixtures) or SLOW_FOLDERS & {item.path, *item.path.parents}:
            item.add_marker("slow")


def pytest_collection_finish() -> None:
    gc.freeze()  # a million objects that stay to the end: the collector need not look at them again and again
    for name in ONE_THREAD:
        os.environ.pop(name, None)


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the homes of all tests are: most of them are never created, and so need not be removed."""
    return tmp_path_factory.mktemp("homes")


@pytest.fixture(autouse=True)
def home(homes: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory and a gcloud configuration of the test's own: the user's are neither read nor written."""
    return isolate(monkeypatch, homes, str(next(HOME_NUMBERS)))


@pytest.fixture
def embedded(home: Path) -> Iterator[Path]:
    """The data directory of an embedded server; whatever is started there is stopped after the test."""
    yield home
    state = local.running(home)
    local.stop(home)
    if state is not None:
        assert not local.exists(state.pid), f"the server process {state.pid} is still there"


@pytest.fixture(scope="session")
def iris_data() -> tuple[list[list[float]], list[int]]:
    from sklearn.datasets import load_iris

    features, species = load_iris(return_X_y=True)
    return features.tolist(), species.tolist()


@pytest.fixture(scope="session")
def iris_export(tmp_path_factory: pytest.TempPathFactory, iris_data: tuple[list[list[float]], list[int]]) -> Path:
    """A directory with a real scikit-learn pipeline in `model.joblib`. Tests that change it copy it first."""
    import joblib
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    directory = tmp_path_factory.mktemp("models") / "iris"
    directory.mkdir()
    model = make_pipeline(StandardScaler(), LogisticRegression(random_state=0)).fit(*iris_data)
    joblib.dump(model, directory / "model.joblib")
    return directory


@pytest.fixture(scope="session")
def tensorflow_exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real SavedModels of every kind, each below its name; written once for all processes of a run."""
    base = tmp_path_factory.getbasetemp()
    base = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "tensorflow_exports"
    with filelock.FileLock(f"{base}.lock"):
        if not (base / "answers.json").exists():  # the last of the files
            base.mkdir()
            script = ROOT / "prediction" / "tensorflow_exports.py"
            done = subprocess.run([sys.executable, script, base], capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, done.stderr
    return base


@pytest.fixture(scope="session")
def booster_export(tmp_path_factory: pytest.TempPathFactory, iris_data: tuple[list[list[float]], list[int]]) -> Path:
    """A directory with a real XGBoost booster in `model.bst`."""
    import numpy
    import xgboost

    directory = tmp_path_factory.mktemp("models") / "boosted"
    directory.mkdir()
    features, species = iris_data
    matrix = xgboost.DMatrix(numpy.array(features), label=species)
    booster = xgboost.train({"objective": "multi:softprob", "num_class": 3, "nthread": 1}, matrix, num_boost_round=3)
    booster.save_model(directory / "model.ubj")  # the format is chosen by the name; .bst only warns and does the same
    (directory / "model.ubj").rename(directory / "model.bst")
    return directory
