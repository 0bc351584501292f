"""Custom prediction routines and scikit-learn models with custom code: the model's own code, installed or not."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from aip_magics.errors import FieldError, PredictionError, WorkerError
from aip_magics.prediction import (
    AsyncWorkerClient,
    ForkServerPool,
    WorkerClient,
    WorkerPool,
    WorkerSpec,
    local_predict,
    preload,
    start,
)

Write = Callable[..., Path]
ROUTINE = """
    import os
    class Predictor:
        def __init__(self, factor):
            self.factor = factor
        @classmethod
        def from_path(cls, model_dir):
            print("loading from", model_dir)
            with open(os.path.join(model_dir, "factor.txt")) as file:
                return cls(float(file.read()))
        def predict(self, instances, **kwargs):
            print("asked with", sorted(kwargs))
            with kwargs["stats"].time("mine"):
                shift = kwargs.get("shift", 0)
            return [self.factor * instance + shift for instance in instances]
"""


@pytest.fixture
def package(tmp_path: Path) -> Write:
    """A directory of installed packages with one module; every directory has a unique name."""

    def write(source: str, module: str = "predictor", name: str = "site") -> Path:
        directory = tmp_path / name
        directory.mkdir(exist_ok=True)
        (directory / f"{module}.py").write_text(textwrap.dedent(source))
        return directory

    return write


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    directory = tmp_path / "model"
    directory.mkdir()
    (directory / "factor.txt").write_text("2.5")
    return directory


@pytest.fixture(params=["forked", "spawned"])
def run(
    request: pytest.FixtureRequest, tmp_path: Path, gone: Callable[..., bool]
) -> Iterator[Callable[..., WorkerClient]]:
    """Start a worker for a routine, spawned or forked."""
    workers: list[WorkerClient] = []
    pool: ForkServerPool | None = request.getfixturevalue("parents") if request.param == "forked" else None

    def begin(
        model_dir: Path, package: Path, prediction_class: str = "predictor.Predictor", **fields: Any
    ) -> WorkerClient:
        spec = WorkerSpec(model_dir, packages=(package,), prediction_class=prediction_class, **fields)
        worker = start(spec, log_dir=tmp_path / "logs", fork_servers=pool)
        assert worker.forked == (pool is not None)
        workers.append(worker)
        return worker

    yield begin
    for worker in workers:
        worker.close()
        assert gone(worker.pid)


def asked(worker: WorkerClient, instances: Any, **extra: Any) -> Any:
    return json.loads(worker.predict(json.dumps({"instances": instances, **extra}).encode(), 30.0))["predictions"]


def test_routine_predicts_with_the_other_keys_of_the_request(
    run: Callable[..., WorkerClient], package: Write, model_dir: Path
) -> None:
    worker = run(model_dir, package(ROUTINE))
    loaded = worker.load()
    assert (loaded.framework, loaded.class_name) == ("", "predictor.Predictor")
    assert set(loaded.libraries) == {"python"}  # no library was imported
    assert f"loading from {model_dir}" in worker.log_tail()
    assert asked(worker, [1, 2]) == [2.5, 5.0]
    assert "asked with ['stats']" in worker.log_tail(1)
    assert asked(worker, [1, 2], shift=1, signature_name="s") == [3.5, 6.0]
    assert "asked with ['shift', 'signature_name', 'stats']" in worker.log_tail(1)
    assert worker.stats["Framework"] == "custom"


def routine(predict: str = "return instances", load: str = "return cls()", head: str = "") -> str:
    return (
        f"import os, time, ctypes\n{head}\nclass Predictor:\n    @classmethod\n    def from_path(cls, model_dir):\n"
        f"        {load}\n    def predict(self, instances, **kwargs):\n        {predict}\n"
    )


CLASSES = [
    ("predictor.Missing", ROUTINE, "INVALID_USER_CODE",
     "predictor.Missing cannot be found. Please make sure (1) prediction_class is the fully qualified function name,"
     " and (2) it uses the correct package name as provided by the package_uris: ['gs://b/code.tar.gz']", "setup()"),
    ("nowhere.Predictor", ROUTINE, "INVALID_USER_CODE", "nowhere.Predictor cannot be found. ", "setup()"),
    ("predictor.Predictor", "class Predictor:\n    def predict(self, instances): pass", "INVALID_USER_CODE",
     "User provided model class Predictor must implement the from_path method.", "@classmethod"),
    ("predictor", ROUTINE, "INVALID_USER_CODE",
     "User provided model class predictor must implement the from_path method.", "@classmethod"),
    ("predictor.Predictor", "class Predictor:\n    def from_path(x): pass", "INVALID_USER_CODE",
     "The provided model class, Predictor, is missing the required predict method.", "def predict(self, instances"),
    ("predictor.Predictor", "class Predictor:\n    from_path = 1\n    def predict(self, x, y=1): pass",
     "INVALID_USER_CODE", "The provided model class, Predictor, has a predict method with an invalid signature."
     " Expected signature: ['self', 'instances'] User signature: ['self', 'x', 'y']", "**kwargs"),
    ("predictor.Predictor", "class Predictor:\n    from_path = 1\n    predict = 3", "INVALID_USER_CODE",
     "has a predict method with an invalid signature", "**kwargs"),
    ("predictor.Predictor", routine(load="pass"), "INVALID_USER_CODE",
     "from_path of predictor.Predictor returned builtins.NoneType, which has no predict", "return cls(...)"),
    ("predictor.Predictor", "import no_such_library", "FAILED_TO_LOAD_MODEL",
     "Unexpected error when loading the model: ModuleNotFoundError: No module named 'no_such_library'",
     "install the package of no_such_library"),
    ("predictor.Predictor", "class Predictor(:", "FAILED_TO_LOAD_MODEL",
     "Unexpected error when loading the model: SyntaxError: ", ""),
    ("predictor.Predictor", routine(load="open(os.path.join(model_dir, 'weights.npy'))"), "FAILED_TO_LOAD_MODEL",
     "Unexpected error when loading the model: FileNotFoundError: ", "put weights.npy into the model directory"),
    ("predictor.Predictor", routine(load="raise SystemExit(3)"), "FAILED_TO_LOAD_MODEL", "SystemExit: 3", ""),
]  # fmt: skip


def test_routine_class_must_be_one(package: Write, model_dir: Path, tmp_path: Path, parents: ForkServerPool) -> None:
    for index, (name, source, kind, text, fix) in enumerate(CLASSES):
        spec = WorkerSpec(
            model_dir,
            packages=(package(source, name=f"site{index}"),),
            prediction_class=name,
            package_uris=("gs://b/code.tar.gz",),
        )
        with (
            start(spec, log_dir=tmp_path, fork_servers=parents) as worker,
            pytest.raises(PredictionError) as caught,
        ):
            worker.load()
        assert caught.value.kind == kind, (index, caught.value)
        assert text in caught.value.detail
        assert fix in caught.value.fix
        assert "Traceback" in caught.value.log


RESULTS = [
    ("(2 * x for x in instances)", None, ""),
    ("tuple(2 * x for x in instances)", None, ""),
    ("[1]", "INVALID_OUTPUTS", "the model returned 1 predictions for 2 instances"),
    ("{'a': 1, 'b': 2}", "INVALID_OUTPUTS", "predict returned a dict, which list() would split into keys"),
    ("'ab'", "INVALID_OUTPUTS", "predict returned a str, which list() would split into keys or characters"),
    ("None", "INVALID_OUTPUTS", "could not convert the NoneType returned by predict to a list"),
    ("(1 // (1 - x) for x in instances)", "INVALID_OUTPUTS",
     "could not convert the generator returned by predict to a list: "),
    ("[1, float('nan')]", "INVALID_OUTPUTS",
     "could not encode the prediction for instance 1 as JSON: JSON does not support NaN"),
    ("[1, b'']", "INVALID_OUTPUTS", "could not encode the prediction for instance 1 as JSON: Object of type bytes"),
    ("[1][5]", "FAILED_TO_RUN_MODEL", "unknown error: IndexError: list index out of range"),
]  # fmt: skip


def test_routine_results_are_encoded(package: Write, model_dir: Path, tmp_path: Path, parents: ForkServerPool) -> None:
    site = package(routine("return eval(kwargs['code'], {'instances': instances})"))
    spec = WorkerSpec(model_dir, packages=(site,), prediction_class="predictor.Predictor")
    with start(spec, log_dir=tmp_path, fork_servers=parents) as worker:
        worker.load()
        for code, kind, text in RESULTS:
            if kind is None:
                assert asked(worker, [1, 2], code=code) == [2, 4]
                continue
            with pytest.raises(PredictionError) as caught:
                asked(worker, [1, 2], code=code)
            assert (caught.value.kind, text in caught.value.detail) == (kind, True), caught.value
        with pytest.raises(PredictionError, match="the request key 'stats' is reserved: the service calls"):
            asked(worker, [1], stats=1)


def test_routine_predict_without_kwargs_is_told_what_the_service_passes(
    run: Callable[..., WorkerClient], package: Write, model_dir: Path
) -> None:
    worker = run(model_dir, package(routine().replace(", **kwargs", "")))
    worker.load()
    with pytest.raises(PredictionError) as caught:
        asked(worker, [1], shift=1)
    assert "unknown error: TypeError: " in caught.value.detail
    assert "got an unexpected keyword argument 'stats'" in caught.value.detail
    assert caught.value.fix == "write def predict(self, instances, **kwargs): the service passes stats=, shift="


@pytest.mark.parametrize(("framework", "seen"), [(None, {"b64": "YWI="}), ("TENSORFLOW", "b'ab'")])
def test_routine_gets_base64_as_on_the_service(
    package: Write, model_dir: Path, tmp_path: Path, parents: ForkServerPool, framework: str | None, seen: object
) -> None:
    site = package(routine("return [x if isinstance(x, dict) else repr(x) for x in instances]"))
    spec = WorkerSpec(model_dir, framework, packages=(site,), prediction_class="predictor.Predictor")
    with start(spec, log_dir=tmp_path, fork_servers=parents) as worker:
        worker.load()
        assert asked(worker, [{"b64": "YWI="}]) == [seen]


def _load_and_predict(worker: WorkerClient, deadline: float) -> None:
    worker.load()
    worker.predict(b'{"instances": [1]}', deadline)


@pytest.mark.parametrize(
    ("load", "predict", "says"),
    [
        ("os._exit(4)", "pass", "exited with code 4 while loading the model"),
        ("return cls()", "os._exit(5)", "exited with code 5 while predicting"),
        ("return cls()", "ctypes.string_at(0)", "was ended by signal 11 (SIGSEGV) while predicting"),
        ("return cls()", "os.kill(os.getpid(), 9)", "was ended by signal 9 (SIGKILL) while predicting"),
        ("return cls()", "time.sleep(600)", "timed out after 0.5 s while predicting"),
    ],
)
def test_routine_death_is_told(
    run: Callable[..., WorkerClient], package: Write, model_dir: Path, load: str, predict: str, says: str
) -> None:
    worker = run(model_dir, package(routine(predict, load)))
    with pytest.raises(WorkerError) as caught:
        _load_and_predict(worker, 0.5 if "sleep" in predict else 30.0)
    assert says in caught.value.detail
    assert not worker.alive()


async def answered(spec: WorkerSpec, log_dir: Path, parents: ForkServerPool) -> tuple[bytes, str]:
    worker = await AsyncWorkerClient.start(spec, log_dir=log_dir, fork_servers=parents)
    try:
        loaded = await worker.load()
        return await worker.predict(b'{"instances": [4]}'), loaded.class_name
    finally:
        await worker.close()


def test_routine_runs_in_the_server_too(
    package: Write, model_dir: Path, tmp_path: Path, parents: ForkServerPool
) -> None:
    import asyncio

    spec = WorkerSpec(model_dir, packages=(package(ROUTINE),), prediction_class="predictor.Predictor")
    answer = asyncio.run(answered(spec, tmp_path, parents))
    assert answer == (b'{"predictions": [10.0]}', "predictor.Predictor")


def test_routine_runs_in_local_predict(package: Write, model_dir: Path, parents: ForkServerPool) -> None:
    site, other = package(ROUTINE), package(ROUTINE.replace("self.factor *", "-self.factor *"), name="other")
    with WorkerPool(fork_servers=parents) as pool:
        given = {"prediction_class": "predictor.Predictor", "pool": pool}
        assert local_predict(model_dir, [1, 2], packages=[site], **given) == {"predictions": [2.5, 5.0]}
        pids = [worker.pid for worker in pool.workers()]
        assert local_predict(model_dir, [1], packages=[str(site)], **given) == {"predictions": [2.5]}
        assert [worker.pid for worker in pool.workers()] == pids
        assert local_predict(model_dir, [1], packages=[other], **given) == {"predictions": [-2.5]}
        assert len(pool.workers()) == 2
        with pytest.raises(FieldError, match="framework SCIKIT_LEARN cannot be combined with the prediction routine"):
            local_predict(model_dir, [1], framework="scikit-learn", **given)


def test_routine_warming_returns_at_once(gone: Callable[..., bool]) -> None:
    with WorkerPool() as pool:
        began = time.monotonic()
        assert preload("xgboost", pool=pool)
        assert preload(None, prediction_class="predictor.Predictor", pool=pool)
        assert not preload(None, pool=pool)
        assert not preload("xgboost", "/nowhere/python", pool=pool)
        assert time.monotonic() - began < 2
        pids = pool.fork_servers.pids()
        assert len(pids) == 2
    assert all(gone(pid) for pid in pids)


SCALER = """
    class Doubler:
        def fit(self, x, y=None):
            return self
        def transform(self, x):
            return [[2 * value for value in row] for row in x]
"""


def train(site: Path, target: Path, module: str) -> list[int]:
    """Train a pipeline with a step of `module` in another process, so that this process never imports the module."""
    code = f"""
        import joblib, sys
        from sklearn.datasets import load_iris
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        if {module!r} == "__main__":
            exec(open({str(site / "steps.py")!r}).read())
        else:
            sys.path.insert(0, {str(site)!r})
            from {module} import Doubler
        x, y = load_iris(return_X_y=True)
        model = make_pipeline(Doubler(), LogisticRegression(max_iter=500)).fit(x, y)
        joblib.dump(model, {str(target)!r})
        print(model.predict(x[::15]).tolist())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    answer: list[int] = json.loads(done.stdout)
    return answer


def test_pipeline_with_its_own_step(package: Write, tmp_path: Path, parents: ForkServerPool, rows: Any) -> None:
    site = package(SCALER, "steps")
    (tmp_path / "model").mkdir()
    wanted = train(site, tmp_path / "model" / "model.joblib", "steps")
    with WorkerPool(fork_servers=parents) as pool:
        assert local_predict(tmp_path / "model", rows, packages=[site], pool=pool) == {"predictions": wanted}
        with pytest.raises(PredictionError) as caught:
            local_predict(tmp_path / "model", rows, pool=pool)
    assert caught.value.kind == "FAILED_TO_LOAD_MODEL"
    assert "steps.Doubler" in caught.value.detail  # without the package, the class is not allowed
    assert "--trust" in caught.value.fix
    assert "steps" not in sys.modules


def test_pipeline_with_a_step_defined_in_the_notebook(
    package: Write, tmp_path: Path, parents: ForkServerPool, rows: Any
) -> None:
    site = package(SCALER, "steps")
    (tmp_path / "model").mkdir()
    train(site, tmp_path / "model" / "model.joblib", "__main__")
    with WorkerPool(fork_servers=parents) as pool, pytest.raises(PredictionError) as caught:
        local_predict(tmp_path / "model", rows, packages=[site], pool=pool)
    assert caught.value.kind == "FAILED_TO_LOAD_MODEL"
    assert caught.value.fix.startswith("move Doubler from the notebook into a module")
    assert "%aip_package my_module.py" in caught.value.fix


def test_packages_with_a_library_are_not_mixed_with_the_fork_server(
    package: Write, tmp_path: Path, parents: ForkServerPool
) -> None:
    site = package("", "other")
    (site / "joblib").mkdir()
    (site / "joblib" / "__init__.py").write_text(
        "class Mine:\n    __module__ = 'sklearn'\n    def predict(self, x):\n        return ['mine' for _ in x]\n"
        "def load(path):\n    return Mine()\n"
    )
    (tmp_path / "model").mkdir()
    joblib.dump(make_pipeline(LogisticRegression()), tmp_path / "model" / "model.joblib")
    with WorkerPool(fork_servers=parents) as pool:
        answer = local_predict(tmp_path / "model", [[1]], packages=[site], pool=pool)
    assert answer == {"predictions": ["mine"]}


def test_routine_loads_a_pickle_of_the_notebook(
    package: Write, tmp_path: Path, parents: ForkServerPool, model_dir: Path
) -> None:
    site = package(routine(load="import pickle; return pickle.load(open(os.path.join(model_dir, 'state.pkl'), 'rb'))"))
    (model_dir / "state.pkl").write_bytes(b"c__main__\nState\n.")
    with WorkerPool(fork_servers=parents) as pool, pytest.raises(PredictionError) as caught:
        local_predict(model_dir, [1], packages=[site], prediction_class="predictor.Predictor", pool=pool)
    assert caught.value.detail.startswith("Unexpected error when loading the model: AttributeError: ")
    assert caught.value.fix.startswith("move State from the notebook into a module")
