"""Models that do not lie in a directory of this machine: variables of the notebook, directories in Cloud Storage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import joblib
import pytest

from aip_magics.deploy import trial
from aip_magics.errors import ModelDirError, OptionError
from aip_magics.settings import resolve
from aip_magics.targets import choose

ROW = [5.1, 3.5, 1.4, 0.2]
TEST = f"test:\n  instances:\n  - {ROW}\n"


def client() -> Any:
    return choose(resolve(target="local")).google_storage_client


def test_model_source_in_the_notebook(shell: Any, iris_export: Path, capsys: Any) -> None:
    model = shell.user_ns["flowers"] = joblib.load(iris_export / "model.joblib")
    expected = {"predictions": model.predict([ROW]).tolist()}
    version = shell.run_cell_magic("aip_deploy", "--origin $flowers", TEST)
    assert version.state == "READY"
    assert "/models/flowers/versions/v1" in version.name
    assert "identical to the local predictions" in capsys.readouterr().out
    assert shell.run_cell_magic("aip_local_predict", "--model-dir $flowers", f"[{ROW}]") == expected
    again = shell.run_cell_magic("aip_deploy", "", f"deploymentUri: $flowers\n{TEST}")
    assert again.id == "v1"  # the class names it: Pipeline is another model
    assert "/models/Pipeline/" in again.name
    shell.user_ns["flowers"] = [1, 2]
    with pytest.raises(OptionError, match="flowers is a list, not a model"):
        shell.run_cell_magic("aip_deploy", "--origin $flowers", TEST)


def test_model_source_in_cloud_storage(
    shell: Any, iris_export: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = shell.run_cell_magic("aip_deploy", f"--model iris --origin {iris_export}", TEST)
    uri = first.deploymentUri
    version = shell.run_cell_magic("aip_deploy", f"--model copy --origin {uri}", TEST)
    assert (version.state, version.deploymentUri) == ("READY", uri)
    assert "try: 1 prediction: [0]" in capsys.readouterr().out
    answer = shell.run_cell_magic("aip_local_predict", f"--model-dir {uri}", f"[{ROW}]")
    assert answer == {"predictions": [0]}
    with pytest.raises(ModelDirError, match="no objects found in"):
        shell.run_cell_magic("aip_local_predict", f"--model-dir {uri}nothing", f"[{ROW}]")
    monkeypatch.setattr(trial, "DOWNLOAD_LIMIT", 100)
    assert shell.run_cell_magic("aip_deploy", f"--model large --origin {uri}", TEST).state == "READY"
    assert "has 0 MB; at most 0 MB are downloaded" in capsys.readouterr().out


def test_model_source_and_package_in_cloud_storage(shell: Any, tmp_path: Path) -> None:
    from custom_models import ROUTINE, routine_dir, sdist

    package = sdist(tmp_path, "my_routine", my_routine=ROUTINE)
    line = "--prediction-class my_routine.Routine --package-uris"
    body = json.dumps({"test": {"instances": [1]}})
    first = shell.run_cell_magic(
        "aip_deploy", f"--model here --origin {routine_dir(tmp_path / 'd')} {line} {package}", body
    )
    (uri,) = first.packageUris
    there = shell.run_cell_magic("aip_deploy", f"--model there --origin {first.deploymentUri} {line} {uri}", body)
    assert there.state == "READY"
    assert client().bucket(uri.split("/")[2]).blob(uri.split("/", 3)[3]).exists()
