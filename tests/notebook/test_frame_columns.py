"""A DataFrame in a cell: its columns reach the model in the model's order, or are refused by name."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import joblib
import pandas
import pytest
from sklearn.linear_model import LinearRegression

from aip_magics.commands.common import model_inputs
from aip_magics.errors import InstancesError, NotFound

HOUSES = pandas.DataFrame({"rooms": [1.0, 2, 3, 4], "age": [40.0, 10, 30, 5]})
RIGHT = {"predictions": [pytest.approx(290.0)]}  # by position: 997


@pytest.fixture
def names(shell: Any, tmp_path: Path) -> dict[str, Any]:
    """The variables of a notebook: a model fitted on a frame, and a frame with its columns in another order."""
    model = LinearRegression().fit(HOUSES, HOUSES["rooms"] * 100 - HOUSES["age"])
    found: dict[str, Any] = shell.user_ns
    found.update(model=model, frame=pandas.DataFrame({"age": [10.0], "rooms": [3.0]}))
    found.update(wide=found["frame"].assign(x=1), numbered=found["frame"].set_axis([0, 1], axis=1))
    return found


def test_frame_columns_are_arranged_on_every_way(
    shell: Any, names: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shell.run_cell_magic("aip_local_predict", "--model-dir $model -q", "instances: $frame") == RIGHT
    assert shell.run_cell_magic("aip_local_predict", "--model-dir $model -q", "$frame") == RIGHT
    plan = shell.run_cell_magic("aip_deploy", "--origin $model --dry-run -q", "test:\n  instances: $frame")
    assert plan.deployment.test == {"instances": [[3.0, 10.0]]}
    with pytest.raises(InstancesError, match="unexpected columns: x"):
        shell.run_cell_magic("aip_check", "$model -q", "test:\n  instances: $wide")

    version = shell.run_cell_magic("aip_deploy", "--model m --origin $model -q", "test:\n  instances: $frame")
    assert shell.run_cell_magic("aip_predict", "--model m -q", "instances: $frame") == RIGHT
    assert shell.run_cell_magic("aip_predict", "--model m --version v1 -q", "$frame") == RIGHT
    assert shell.run_cell_magic("aip_predict", "--model m -q", "$numbered") == {"predictions": [pytest.approx(997.0)]}
    with pytest.raises(InstancesError) as caught:
        shell.run_cell_magic("aip_predict", "--model m -q", "instances: $wide")
    assert caught.value.where == "cell: instances"
    names["selected"] = eval(caught.value.fix.partition(": ")[2], {"df": names["wide"]})
    assert shell.run_cell_magic("aip_predict", "--model m -q", "instances: $selected") == RIGHT
    with pytest.raises(NotFound):
        shell.run_cell_magic("aip_predict", "--model nothing -q", "$frame")

    plan = shell.run_cell_magic(
        "aip_deploy",
        f"--model again --origin {version.deploymentUri} --framework scikit-learn --dry-run",
        "test: $frame",
    )
    assert plan.deployment.test == {"instances": [[10.0, 3.0]]}
    assert "sent in its own order: a preview sends no request to read the model" in capsys.readouterr().out
    report = shell.run_cell_magic("aip_check", f"--model again --origin {version.deploymentUri} -q", "test: $frame")
    assert not report.errors

    monkeypatch.setattr(model_inputs, "MAX_MODEL_BYTES", 100)
    shell.run_cell_magic("aip_predict", "--model m", "$frame")
    assert "sent in its own order: model.joblib is larger than 0 MB" in capsys.readouterr().out


def test_frame_columns_of_a_version_whose_file_was_replaced_are_not_taken_from_it(
    shell: Any, names: dict[str, Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    version = shell.run_line_magic("aip_deploy", "--model m --origin $model -q")
    swapped = LinearRegression().fit(HOUSES[["age", "rooms"]], HOUSES["rooms"])
    joblib.dump(swapped, tmp_path / "model.joblib")
    time.sleep(1.1)  # createTime has whole seconds
    shell.run_line_magic("aip_upload", f"{tmp_path} {version.deploymentUri} -q")
    capsys.readouterr()
    answer = shell.run_cell_magic("aip_predict", "--model m", "$frame")
    assert "model.joblib was replaced after the version was created" in capsys.readouterr().out
    assert answer == {"predictions": [pytest.approx(997.0)]}
