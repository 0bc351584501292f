"""Our container against Google's model server, both as processes, in one run. Numbers are printed; none fails a test.

`AIP_CPR_PYTHON=… pytest -m benchmark tests/benchmarks/test_bench_container.py`, where that Python has
`google-cloud-aiplatform[prediction]` and the scikit-learn of this one. On a busy machine Google's server with several
workers may not start at all: uvicorn kills a worker that does not answer within five seconds, also while it imports.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

import joblib
import model_servers
import pytest
from engines import BODY, descendants
from growth_curve import memory
from http_load import post
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(
        model_servers.google_python() is None, reason="AIP_CPR_PYTHON has no google-cloud-aiplatform[prediction]"
    ),
]

LOAD = Path(__file__).with_name("http_load.py")
ROUNDS, SECONDS, CONNECTIONS = 3, 2.0, 8


MODELS = {
    "linear": make_pipeline(StandardScaler(), LogisticRegression()),  # requests are batched when asked for
    "forest": RandomForestClassifier(100, random_state=0),  # by default
}
SETTINGS = {
    "1 worker": {"MODEL_WORKERS": "1", "VERTEX_CPR_WEB_CONCURRENCY": "1"},
    "1 worker, MODEL_COALESCE=1": {"MODEL_WORKERS": "1", "MODEL_COALESCE": "1", "VERTEX_CPR_WEB_CONCURRENCY": "1"},
    "defaults": {},
    "defaults, MODEL_COALESCE=1": {"MODEL_COALESCE": "1"},
}
RUNS = [*(("linear", settings) for settings in SETTINGS), ("forest", "1 worker"), ("forest", "defaults")]


def measured(server):
    """Requests a second, and the bytes of all processes afterwards."""
    command = [sys.executable, str(LOAD), str(server.port), str(CONNECTIONS), str(SECONDS)]
    done = subprocess.run(command, input=post(model_servers.PREDICT, BODY), capture_output=True, check=True)
    found = json.loads(done.stdout)
    assert set(found["statuses"]) == {"200"}, found
    assert found["lost"] == 0
    return found["rate"], found["p99"], memory({server.process.pid, *descendants(server.process.pid)})


@pytest.mark.parametrize(("kind", "settings"), RUNS)
def test_container_against_googles_model_server(iris_data, tmp_path, tell, kind, settings):
    model = tmp_path / "model"
    model.mkdir()
    joblib.dump(MODELS[kind].fit(*iris_data), model / "model.joblib")
    engines = {"ours": model_servers.ours, "Google's": model_servers.googles}
    ready = {name: [] for name in engines}
    rates = {name: [] for name in engines}
    p99s = {name: [] for name in engines}
    sizes = {name: [] for name in engines}
    for turn in range(ROUNDS):
        for name, start in engines.items():
            with start(tmp_path / f"{name}{turn}", model, **SETTINGS[settings]) as server:
                ready[name].append(server.wait_until_ready())
                answer = server.predict(json.loads(BODY))
                assert answer == (200, {"predictions": [0]})
                rate, p99, size = measured(server)
            rates[name].append(rate)
            p99s[name].append(p99)
            sizes[name].append(size)
    for name in engines:
        tell(
            f"{kind}, {settings}, {name:9} ready {min(ready[name]):5.2f} s, {max(rates[name]):6.0f} requests/s at "
            f"c={CONNECTIONS}, p99 {min(p99s[name]) * 1e3:5.1f} ms, {min(sizes[name]) / 1e6:4.0f} MB"
        )

    def ratio(mine, its):
        return statistics.median(a / b for a, b in zip(mine, its, strict=True))

    other = "Google's"
    tell(
        f"{kind}, {settings}: ready {ratio(ready[other], ready['ours']):.2f}x sooner, "
        f"{ratio(rates['ours'], rates[other]):.2f}x requests/s, "
        f"{ratio(sizes['ours'], sizes[other]):.2f}x memory"
    )
