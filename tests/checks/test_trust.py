"""What loading would run: real models of known libraries pass, everything else is named and asked about."""

from __future__ import annotations

import bz2
import collections
import functools
import gzip
import io
import lzma
import os
import pickle
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy
import pandas
import pytest
import scipy.sparse
import scipy.stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import all_estimators

from aip_magics import artifacts, checks
from aip_magics.artifacts.facts import Global
from aip_magics.checks.rules.package_trust import BUILDING
from aip_magics.checks.rules.pickle_trust import UNPICKLING, get_modes
from aip_magics.checks.rules.saved_model_trust import GRAPH
from aip_magics.spec import Model, Version
from aip_magics.trust import Trust, digest

X = numpy.array([[i, i % 3, (i * 7) % 5] for i in range(20)], dtype=float)
Y = (X[:, 0] > 10).astype(int)


class Evil:
    """Makes a directory when it is loaded, by any callable with one argument."""

    def __init__(self, call: Callable[..., Any], *arguments: Any) -> None:
        self.made = (call, arguments)

    def __reduce__(self) -> Any:
        return self.made


def subject(folder: Path, *, trust: Trust | None = None, **version: Any) -> checks.CheckContext:
    return checks.CheckContext(
        Model(name="m"), Version.from_json(version), artifacts.inspect_model_dir(folder), trust=trust
    )


def found(folder: Path, rule: str = UNPICKLING.id, **options: Any) -> list[checks.Finding]:
    outcome = checks.RULES[rule].apply(subject(folder, **options))
    return list(outcome.findings) if isinstance(outcome, checks.Failed) else []


def put(folder: Path, name: str, data: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return folder


SLOW = {"LogisticRegressionCV", "DictionaryLearning", "BisectingKMeans", "MiniBatchDictionaryLearning", "SparsePCA"}


def fitted() -> list[Any]:
    """Nearly each estimator of scikit-learn that can be fitted to a small table."""
    made = []
    for name, kind in all_estimators():
        if name in SLOW:
            continue
        try:
            made.append(kind().fit(abs(X), Y))
        except Exception:  # noqa: BLE001 - it needs arguments, texts or targets of another form
            assert name
    return made


@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
def test_find_untrusted_passes_every_estimator_of_scikit_learn(tmp_path: Path) -> None:
    models = fitted()
    assert len(models) > 130
    for number, model in enumerate(models):
        joblib.dump(model, put(tmp_path / f"j{number}", "x.txt", b"x") / "model.joblib")
        put(tmp_path / f"p{number}", "model.pkl", pickle.dumps(model, protocol=number % 6))
    told = {
        f"{type(models[int(path.name[1:])]).__name__}: {one.message}"
        for path in tmp_path.iterdir()
        for one in found(path)
    }
    assert told == set()


OTHERS = {
    "index": [pandas.Index(["a", "b"]), pandas.CategoricalDtype(["u", "v"])],
    "missing": [pandas.NA, pandas.NaT, pandas.Timestamp("2020"), pandas.interval_range(0, 2)],
    "times": pandas.date_range("2020-01-01", periods=3),
    "sparse": scipy.sparse.csr_matrix(X),
    "random state": numpy.random.RandomState(0),
    "generator": numpy.random.default_rng(0),
    "masked": numpy.ma.masked_array([1, 2], [True, False]),
    "function": make_pipeline(FunctionTransformer(numpy.log1p), LogisticRegression()),
    "search": GridSearchCV(LogisticRegression(), {"C": [1.0, 2.0]}, scoring=make_scorer(f1_score)).fit(X, Y),
    "containers": [collections.OrderedDict(a=1), collections.defaultdict(list), functools.partial(numpy.sqrt), {1}, 2j],
    "objects": numpy.array([{"a": 1}, "text", None], dtype=object),
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_find_untrusted_passes_values_of_known_libraries(tmp_path: Path, name: str, protocol: int) -> None:
    assert found(put(tmp_path, "model.pkl", pickle.dumps(OTHERS[name], protocol=protocol))) == []
    joblib.dump(OTHERS[name], tmp_path / "model.joblib", protocol=max(protocol, 3))
    assert found(tmp_path) == []


@pytest.mark.parametrize("value", [pandas.DataFrame({"a": [1]}), pandas.Series([1])])
def test_find_untrusted_names_a_data_frame(tmp_path: Path, value: Any) -> None:
    """It evaluates texts and writes files, by methods that a model could be made to call."""
    [finding] = found(put(tmp_path, "model.pkl", pickle.dumps(value)))
    assert "pandas." in finding.message


def test_find_untrusted_passes_models_of_xgboost(tmp_path: Path, models: Any) -> None:
    assert found(put(tmp_path / "a", "model.pkl", models.wrapper)) == []
    assert found(put(tmp_path / "b", "model.pkl", models.pickled_booster)) == []
    assert found(put(tmp_path / "c", "model.bst", models.booster)) == []


ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "raw": bytes,
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": functools.partial(lzma.compress, format=lzma.FORMAT_ALONE),
}
CALLS: dict[str, tuple[Any, tuple[str, ...], str]] = {
    "system": (os.system, ("mkdir {trace}",), "system"),
    "eval": (eval, ("__import__('os').mkdir({trace!r})",), ".eval"),
    "exec": (exec, ("import os; os.mkdir({trace!r})",), ".exec"),
    "getattr": (getattr, ("x", "upper"), ".getattr"),
    "joblib.load": (joblib.load, ("{trace}",), "joblib.numpy_pickle.load"),
    "numpy.load": (numpy.load, ("{trace}",), "numpy"),
    "mkdir": (os.mkdir, ("{trace}",), "mkdir"),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_find_untrusted_names_a_malicious_pickle_and_leaves_no_trace(
    tmp_path: Path, encoding: str, call: str, protocol: int
) -> None:
    function, arguments, name = CALLS[call]
    trace = tmp_path / "trace"
    evil = Evil(function, *(one.format(trace=str(trace)) for one in arguments))
    nested = {"model": LogisticRegression().fit(X, Y), "and": [evil]}
    folder = put(tmp_path / "m", "model.joblib", ENCODINGS[encoding](pickle.dumps(nested, protocol=protocol)))
    [finding] = found(folder)
    assert (finding.severity, finding.subject) == ("error", "model.joblib")
    assert name in finding.message
    assert "--trust" in finding.fix
    assert not trace.exists()


def test_find_untrusted_names_a_pickle_inside_a_joblib_array(tmp_path: Path) -> None:
    array = numpy.array([Evil(os.mkdir, str(tmp_path / "trace")), X], dtype=object)
    tmp_path.joinpath("m").mkdir()
    joblib.dump([X, array, X], tmp_path / "m" / "model.joblib")
    [finding] = found(tmp_path / "m")
    assert "mkdir" in finding.message


def test_find_untrusted_reads_what_only_joblib_skips(tmp_path: Path) -> None:
    """`pickle.load` would run the bytes that joblib takes for an array: a wrapper in model.pkl is a stranger."""
    buffer = io.BytesIO()
    joblib.dump(X, buffer)
    assert found(put(tmp_path / "a", "model.joblib", buffer.getvalue())) == []
    [finding] = found(put(tmp_path / "b", "model.pkl", buffer.getvalue()))
    assert "NumpyArrayWrapper" in finding.message


def test_find_untrusted_names_ways_around_the_list() -> None:
    around = [
        ("sklearn.utils._testing", "TempMemmap"),
        ("sklearn.callback._transport", "Client"),  # of multiprocessing: connects to where it is told
        ("sklearn.externals.array_api_compat", "Anything"),
        ("sklearn.linear_model._logistic", "LogisticRegression.fit.__globals__"),
        ("sklearn.base", "os.system"),
        ("sklearn", "os"),
        ("numpy", "load"),
        ("numpy", "ndarray.tofile"),
        ("numpy._core", "_ufunc_reconstruct"),
        ("numpy.f2py", "subprocess"),
        ("pandas", "read_pickle"),
        ("joblib", "load"),
        ("operator", "attrgetter"),
        ("builtins", "__import__"),
    ]
    assert [name for name in around if get_modes(Global(*name))] == []


def test_find_untrusted_names_what_cannot_be_read_to_its_end(tmp_path: Path) -> None:
    whole = pickle.dumps(LogisticRegression().fit(X, Y))
    [finding] = found(put(tmp_path, "model.pkl", whole[:-20]))
    assert "completely" in finding.message


@pytest.mark.parametrize(
    "data", [b"", b"<html><body>404</body></html>", b"version https://git-lfs.github.com/spec/v1\n"]
)
def test_find_untrusted_runs_nothing_that_is_no_pickle(tmp_path: Path, data: bytes) -> None:
    assert found(put(tmp_path, "model.pkl", data)) == []


def test_find_untrusted_notebook_classes_run_nothing_in_a_worker(tmp_path: Path) -> None:
    assert found(put(tmp_path / "a", "model.pkl", b"\x80\x02c__main__\nDoubler\n.")) == []
    around = b"\x80\x04\x8c\x08__main__\x8c\x1a__class__.__subclasses__\x93."
    assert found(put(tmp_path / "b", "model.pkl", around.replace(b"\x1a", b"\x18"))) != []


def test_find_untrusted_takes_trust_in_modules_and_in_contents(tmp_path: Path) -> None:
    own = put(tmp_path, "model.pkl", b"\x80\x02cown.deep\nModel\n)R.")
    [finding] = found(own)
    assert "own.deep.Model" in finding.message
    assert found(own, trust=Trust(frozenset({"own"}))) == []
    assert found(own, trust=Trust(frozenset({"own.deep"}))) == []
    assert found(own, trust=Trust(frozenset({"ow", "own.deeper", "deep"}))) != []
    trusted = Trust(files={digest(own / "model.pkl"): None})
    assert found(own, trust=trusted) == []
    put(tmp_path, "model.pkl", b"\x80\x02cown.deep\nModel\n)R.\n")
    assert found(own, trust=trusted) != []


def test_find_untrusted_names_pickles_of_routines_and_tensorflow_libraries(tmp_path: Path) -> None:
    folder = put(tmp_path / "r", "encoder.pkl", pickle.dumps(Evil(os.mkdir, "x")))
    assert found(folder) == []  # nothing loads it: it is no model file
    [finding] = found(folder, predictionClass="own.Routine")
    assert finding.subject == "encoder.pkl"
    saved = put(tmp_path / "t", "saved_model.pb", b"")
    put(saved / "assets.extra", "op.so", b"\x7fELF")
    [finding] = found(saved, GRAPH.id)
    assert finding.subject == "assets.extra/op.so"
    assert found(saved, GRAPH.id, container={"image": "x"}) == []


def test_find_untrusted_does_not_know_a_package_in_cloud_storage_yet(tmp_path: Path) -> None:
    own = put(tmp_path, "model.pkl", b"\x80\x02cown\nModel\n)R.")
    outcome = checks.RULES[UNPICKLING.id].apply(subject(own, packageUris=["gs://b/own-1.tar.gz"]))
    assert isinstance(outcome, checks.Skipped)


def package(folder: Path, setup: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "own-1.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("own-1/setup.py")
        info.size = len(setup)
        archive.addfile(info, io.BytesIO(setup.encode()))
    return path


def test_find_untrusted_names_what_building_a_package_runs(tmp_path: Path) -> None:
    plain = "import os\nfrom setuptools import setup\nsetup(name='own', py_modules=['own'])\n"
    model = put(tmp_path / "m", "x.txt", b"x")
    fine = package(tmp_path / "plain", plain)
    assert found(model, BUILDING.id, packageUris=[str(fine)]) == []
    acts = package(tmp_path / "acts", plain + "os.system('x')\n")
    [finding] = found(model, BUILDING.id, packageUris=[str(fine), str(acts)])
    assert (finding.severity, finding.subject) == ("error", "own-1.tar.gz")
    assert "setup.py, line 4: calls os.system" in finding.message
    assert "--trust" in finding.fix
    assert "%aip_package" in finding.fix
    trust = Trust(files={digest(acts): None})
    assert found(model, BUILDING.id, packageUris=[str(acts)], trust=trust) == []
    outcome = checks.RULES[BUILDING.id].apply(subject(model, packageUris=["gs://b/own-1.tar.gz"]))
    assert isinstance(outcome, checks.Skipped)
