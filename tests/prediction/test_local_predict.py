from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aip_magics.errors import FieldError, InstancesError, ModelDirError, PredictionError
from aip_magics.prediction import ForkServerPool, WorkerPool, local_predict


@pytest.fixture(scope="module")
def pool(parents: ForkServerPool) -> Iterator[WorkerPool]:
    with WorkerPool(fork_servers=parents) as made:
        yield made


@pytest.mark.parametrize("framework", [None, "scikit-learn", "SCIKIT_LEARN", "FRAMEWORK_UNSPECIFIED"])
def test_local_predict_with_scikit_learn(
    pool: WorkerPool, sklearn_dir: Path, classifier: Any, iris: Any, rows: Any, framework: str | None
) -> None:
    wanted = {"predictions": classifier.predict(rows).tolist()}
    assert local_predict(sklearn_dir, rows, framework=framework, pool=pool) == wanted
    assert local_predict(str(sklearn_dir), iris[0][::15], pool=pool) == wanted
    assert local_predict(sklearn_dir / "model.joblib", tuple(rows), signature_name="s", pool=pool) == wanted


def test_local_predict_with_a_whole_body(pool: WorkerPool, sklearn_dir: Path, rows: Any) -> None:
    body = json.dumps({"instances": rows[:1]}).encode()
    assert local_predict(sklearn_dir, body=body, pool=pool) == {"predictions": [0]}
    assert local_predict(sklearn_dir, body=body, signature_name="s", pool=pool) == {"predictions": [0]}


def test_local_predict_with_xgboost(pool: WorkerPool, xgboost_dir: Path, booster: Any, rows: Any) -> None:
    import numpy
    import xgboost

    wanted = booster.predict(xgboost.DMatrix(numpy.array(rows))).tolist()
    assert local_predict(xgboost_dir, rows, framework="xgboost", pool=pool) == {"predictions": wanted}


def test_local_predict_raises_errors(pool: WorkerPool, sklearn_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelDirError, match="does not exist"):
        local_predict(tmp_path / "nowhere", [1], pool=pool)
    with pytest.raises(ModelDirError, match="Cloud Storage"):
        local_predict("gs://bucket/model", [1], pool=pool)
    with pytest.raises(InstancesError, match="exactly one of instances and body is required"):
        local_predict(sklearn_dir, pool=pool)
    with pytest.raises(InstancesError, match="exactly one of instances and body is required"):
        local_predict(sklearn_dir, [1], body=b"{}", pool=pool)
    with pytest.raises(InstancesError, match=r"instances\[0\]"):
        local_predict(sklearn_dir, [float("nan")], pool=pool)
    with pytest.raises(PredictionError, match="models saved in SavedModel format"):
        local_predict(sklearn_dir, [1], framework="tensorflow", pool=pool)


@pytest.mark.slow
def test_local_predict_imports_nothing_heavy_before_it_is_used() -> None:
    code = (
        "import sys, aip_magics.prediction as p; print({'asyncio', 'subprocess', 'numpy'} & set(sys.modules));"
        "p.local_predict; print({'sklearn', 'xgboost', 'numpy', 'joblib'} & set(sys.modules));"
        "print(all(getattr(p, name) for name in p.__all__))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["set()", "set()", "True"]


def test_local_predict_has_no_unknown_member() -> None:
    import aip_magics.prediction

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = aip_magics.prediction.nothing


def test_local_predict_of_an_export_base_or_at_the_wrong_level(pool: WorkerPool, tmp_path: Path) -> None:
    export = tmp_path / "base" / "export"
    (export / "variables").mkdir(parents=True)
    (export / "saved_model.pb").touch()
    for path, fix in [(tmp_path / "base", f"use {export}"), (export / "variables", f"use {export}")]:
        with pytest.raises(ModelDirError) as caught:
            local_predict(path, [1], pool=pool)
        assert caught.value.fix == fix


def test_local_predict_needs_packages_installed_first(pool: WorkerPool, sklearn_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "code-0.1.tar.gz").touch()
    with pytest.raises(FieldError, match="the directory of installed packages does not exist"):
        local_predict(sklearn_dir, [1], packages=[tmp_path / "code-0.1.tar.gz"], pool=pool)
