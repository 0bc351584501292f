"""`deploy --env model`: trial and version run in the environment of the libraries that saved the model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aip_magics.deploy import Deployment
from aip_magics.deploy.plan import make_plan, steps
from aip_magics.prediction.environments import find_python
from aip_magics.prediction.environments.build import build
from aip_magics.settings import resolve
from aip_magics.targets import choose

TRAIN = """
import json, pickle, sys
import numpy as np
from sklearn.ensemble import RandomForestClassifier
x = np.random.RandomState(0).rand(60, 3)
model = RandomForestClassifier(4, random_state=0).fit(x, (x[:, 0] > 0.5).astype(int))
pickle.dump(model, open(sys.argv[1] + "/model.pkl", "wb"), protocol=4)
print(json.dumps({"instances": x[:9].tolist()}))
"""


def test_steps_have_the_environment_only_if_one_is_built() -> None:
    assert "environment" not in [step.id for step in steps()]
    order = [step.id for step in steps("model")]
    assert order[order.index("checks") + 1] == "environment"
    target = choose(resolve(target="local"))
    planned = make_plan(Deployment("x", env="runtime"), target, None).steps
    assert planned == steps("runtime")


def run(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "AIP_MAGICS_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-m", "aip_magics", *words], capture_output=True, text=True, env=environ, timeout=300
    )


def unused_environments(pruned: subprocess.CompletedProcess[str]) -> list[str]:
    """The environments that `server disk --prune` lists, or with `--yes` has deleted."""
    assert pruned.returncode == 0, pruned.stderr
    report = json.loads(pruned.stdout)
    entries = report["deleted"] if "deleted" in report else report["unused"]
    return [entry["name"] for entry in entries if entry["kind"] == "environments"]


@pytest.mark.network
@pytest.mark.slow
def test_deployment_in_the_environment_of_the_model(tmp_path: Path) -> None:
    base = find_python("3.11") or find_python("3.10")
    if base is None:
        pytest.skip("neither Python 3.11 nor 3.10 is on this machine")
    old = build(base, ["scikit-learn==1.2.2", "numpy<2", "scipy<1.11"], tmp_path / "old")
    export, home = tmp_path / "export", tmp_path / "home"
    export.mkdir()
    trained = subprocess.run([old.python, "-c", TRAIN, export], capture_output=True, text=True, check=True)
    test = tmp_path / "test.yaml"
    test.write_text(json.dumps({"test": json.loads(trained.stdout)}))
    line = ["deploy", "v1", "--model", "forest", "--origin", str(export), "--config", str(test)]
    try:
        refused = run(home, *line)
        assert refused.returncode != 0
        assert "A23 unreadable-by-this-python" in refused.stdout + refused.stderr
        assert "add --env model" in refused.stdout + refused.stderr

        done = run(home, *line, "--env", "model")
        assert done.returncode == 0, done.stderr
        assert "identical to the local predictions" in done.stderr
        assert "environment of the model's libraries (scikit-learn 1.2.2)" in done.stderr
        again = run(home, *line, "--env", "model")
        assert "READY and unchanged: nothing to do" in again.stderr

        run(home, "server", "stop")  # the next server serves the version with the same environment
        instances = tmp_path / "rows.jsonl"
        instances.write_text("[0.9, 0.1, 0.2]\n[0.1, 0.1, 0.2]\n")
        answer = run(home, "predict", "--model", "forest", "--json-instances", str(instances), "--format", "json")
        assert json.loads(answer.stdout) == {"predictions": [1, 0]}

        # The environment stays as long as the version exists, and goes when nothing uses it any more.
        assert unused_environments(run(home, "server", "disk", "--prune", "--yes", "--format", "json")) == []
        answer = run(home, "predict", "--model", "forest", "--json-instances", str(instances), "--format", "json")
        assert json.loads(answer.stdout) == {"predictions": [1, 0]}
        assert run(home, "delete", "v1", "--model", "forest", "--artifacts", "--yes").returncode == 0
        listed = unused_environments(run(home, "server", "disk", "--prune", "--format", "json"))
        assert [
            path.name for path in (home / "environments").iterdir() if path.is_dir() and path.name in listed
        ] == listed
        assert len(listed) == 1
        assert unused_environments(run(home, "server", "disk", "--prune", "--yes", "--format", "json")) == listed
        assert not (home / "environments" / listed[0]).exists()
    finally:
        run(home, "server", "stop")
