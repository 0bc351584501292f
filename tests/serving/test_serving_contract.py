"""What a platform expects of a prediction container: ours and Google's own model server are put to the same tests."""

from __future__ import annotations

import concurrent.futures
import sys
from collections.abc import Iterator
from pathlib import Path

import joblib
import model_servers
import pytest
from model_servers import HEALTH, PREDICT, ModelServer

sys.path.append(str(Path(__file__).parents[1] / "server"))
from server_process import alive, descendants, wait_until

pytestmark = pytest.mark.slow

ROWS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3], [5.9, 3.0, 4.2, 1.5]]


@pytest.fixture(scope="module", params=["ours", pytest.param("googles", marks=pytest.mark.vertex)])
def kind(request: pytest.FixtureRequest) -> str:
    kind = str(request.param)
    if kind == "googles" and model_servers.google_python() is None:
        pytest.skip("set AIP_CPR_PYTHON to a Python with google-cloud-aiplatform[prediction] and scikit-learn")
    return kind


@pytest.fixture(scope="module")
def server(kind: str, iris_export: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    number = {"MODEL_WORKERS": "1", "VERTEX_CPR_WEB_CONCURRENCY": "1"}
    with getattr(model_servers, kind)(tmp_path_factory.mktemp(kind), iris_export, **number) as server:
        server.wait_until_ready()
        yield server


def test_contract_health_is_an_object(server: ModelServer) -> None:
    assert server.ask("GET", HEALTH) == (200, {})


def test_contract_predictions_are_those_of_the_model(server: ModelServer, iris_export: Path) -> None:
    expected = joblib.load(iris_export / "model.joblib").predict(ROWS).tolist()
    assert server.predict({"instances": ROWS}) == (200, {"predictions": expected})
    assert server.predict({"instances": ROWS[1:2], "parameters": None}) == (200, {"predictions": expected[1:2]})


@pytest.mark.parametrize(
    "body", [{"instances": [[1.0, 2.0]]}, {"instances": 7}, {"rows": ROWS}, b"no JSON", b"[]", b""]
)
def test_contract_bad_request_is_an_error_and_the_server_stays(server: ModelServer, body: object) -> None:
    status, answer = server.predict(body)
    assert status >= 400
    assert isinstance(answer, dict)
    assert answer.keys() <= {"error", "detail"}
    assert server.predict({"instances": ROWS[:1]})[0] == 200


def test_contract_other_paths_and_methods_are_refused(server: ModelServer) -> None:
    assert server.ask("GET", "/nowhere")[0] == 404
    assert server.ask("POST", "/nowhere", {"instances": ROWS})[0] == 404
    assert server.ask("GET", PREDICT)[0] == 405


def test_contract_concurrent_requests_get_their_own_answers(server: ModelServer, iris_export: Path) -> None:
    rows = [[5.0 + index / 10, 3.0, 1.0 + index / 5, 0.2 + index / 15] for index in range(24)]
    expected = joblib.load(iris_export / "model.joblib").predict(rows).tolist()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda row: server.predict({"instances": [row]}), rows))
    assert answers == [(200, {"predictions": [value]}) for value in expected]


def test_contract_ends_on_sigterm_with_all_processes(kind: str, iris_export: Path, tmp_path: Path) -> None:
    with getattr(model_servers, kind)(tmp_path, iris_export, VERTEX_CPR_WEB_CONCURRENCY="1") as server:
        server.wait_until_ready()
        family = descendants(server.process.pid)
        assert family or kind == "googles"
        code = server.stop()
    assert code in ((0,) if kind == "ours" else (0, -15))
    wait_until(lambda: not any(map(alive, family)), 10)
