"""A TensorFlow SavedModel, deployed by the real magic to the real server."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from custom_models import ADDER_ANSWER, ADDER_ROW, saved_model

from aip_magics.errors import ChecksFailed, OperationFailed
from aip_magics.targets import local

pytestmark = pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="TensorFlow is not installed")
TEST = f"test:\n  instances: [{ADDER_ROW}]\n"


@pytest.fixture(scope="module")
def adder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved_model(tmp_path_factory.mktemp("tf") / "adder")


def test_aip_deploy_of_a_saved_model_from_an_export_base(
    shell: Any, adder: Path, tmp_path: Path, embedded: Path, capsys: Any
) -> None:
    for folder in ("1487877383", "1587877383"):
        shutil.copytree(adder, tmp_path / "adder" / folder)
    (tmp_path / "adder" / "1587877383" / "variables" / "variables.index").unlink()  # still being copied
    version = shell.run_cell_magic("aip_deploy", f"--origin {tmp_path / 'adder'}", TEST)
    assert (version.state, version.framework) == ("READY", "TENSORFLOW")
    assert "/models/adder/" in version.name
    shown = capsys.readouterr().out
    assert "the newest export of adder is 1487877383" in shown
    assert f'1 prediction: [{{"sum": {ADDER_ANSWER["sum"]}}}], identical to the local predictions' in shown
    shout = "instances: [a, {b64: Yg==}]\nsignature_name: shout"
    assert shell.run_cell_magic("aip_predict", "--model adder", shout)["predictions"] == [{"loud": "A"}, {"loud": "B"}]
    before = local.running(embedded)
    assert before is not None
    os.kill(before.pid, signal.SIGKILL)
    assert shell.run_cell_magic("aip_predict", "--model adder", f"[{ADDER_ROW}]") == {"predictions": [ADDER_ANSWER]}


def test_aip_deploy_of_a_damaged_saved_model(shell: Any, adder: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(adder, tmp_path / "broken")
    (broken / "saved_model.pb").write_bytes((adder / "saved_model.pb").read_bytes()[:500])
    with pytest.raises(ChecksFailed, match="U02"):
        shell.run_line_magic("aip_deploy", f"--model broken --origin {broken}")
    with pytest.raises(OperationFailed, match="Failed to load model"):  # as the service would have said, minutes later
        shell.run_line_magic("aip_deploy", f"--model broken --origin {broken} --trust")
    assert shell.run_line_magic("aip_describe", "v1 --model broken").state == "FAILED"
