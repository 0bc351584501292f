"""Our model server: every kind of model, where models come from, and how it begins, fails and ends."""

from __future__ import annotations

import concurrent.futures
import os
import shutil
import signal
import socket
import sys
import time
from pathlib import Path

import joblib
import pytest
from custom_models import ADDER_ANSWER, ADDER_ROW, own_code_pipeline, saved_model
from model_servers import HEALTH, PREDICT, ModelServer, ours
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, scale

from aip_magics.artifacts import list_files
from aip_magics.storage import GsUri, StorageClient, plan_upload, upload

sys.path.append(str(Path(__file__).parents[1] / "server"))
from server_process import alive, descendants, wait_until

pytestmark = pytest.mark.slow

ROW = [5.1, 3.5, 1.4, 0.2]


def failed(server: ModelServer) -> list[str]:
    """The lines of a server that cannot serve."""
    assert server.process.wait(60) == 1
    lines = [line for line in server.log.splitlines() if not line.startswith("INFO ")]
    assert 1 <= len(lines) <= 3, server.log
    assert "Traceback" not in server.log
    return lines


def test_model_server_xgboost(booster_export: Path, tmp_path: Path) -> None:
    with ours(tmp_path, booster_export) as server:
        server.wait_until_ready()
        status, answer = server.predict({"instances": [ROW]})
    assert status == 200
    assert isinstance(answer, dict)
    [probabilities] = answer["predictions"]
    assert sum(probabilities) == pytest.approx(1, abs=1e-5)
    assert probabilities.index(max(probabilities)) == 0


def test_model_server_saved_model_with_a_signature_in_the_parameters(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    with ours(tmp_path / "run", saved_model(tmp_path / "adder"), MODEL_WORKERS="1") as server:
        server.wait_until_ready()
        assert server.predict({"instances": [{"row": ADDER_ROW}]}) == (200, {"predictions": [ADDER_ANSWER]})
        request = {"instances": ["a"], "parameters": {"signature_name": "shout"}}
        assert server.predict(request) == (200, {"predictions": [{"loud": "A"}]})


def test_model_server_scikit_learn_with_custom_code(tmp_path: Path) -> None:
    own_code_pipeline(tmp_path / "model", tmp_path)
    content = '{"format": 1, "framework": "SCIKIT_LEARN", "packages": ["modules"]}'
    (tmp_path / "container.json").write_text(content)
    with ours(tmp_path, tmp_path / "model") as server:
        server.wait_until_ready()
        status, answer = server.predict({"instances": [[2.0]]})
    assert status == 200
    assert isinstance(answer, dict)
    assert answer["predictions"] == pytest.approx([4.0])


def test_model_server_old_prediction_routine_unchanged(routine: Path) -> None:
    with ours(routine, routine / "files", CHOICE="blue") as server:
        server.wait_until_ready()
        assert server.predict({"instances": [1, 2]}) == (200, {"predictions": [101, 102]})
        request = {"instances": [1, 2], "parameters": {"factor": 10}}
        assert server.predict(request) == (200, {"predictions": [110, 120]})
        request = {"instances": [1], "parameters": {"variable": "CHOICE"}}
        assert server.predict(request) == (200, {"predictions": ["blue"]}), "the container's variables reach the model"
        status, answer = server.predict({"instances": [1], "parameters": [1]})
        assert status == 400
        assert isinstance(answer, dict)
        assert "'parameters' must be an object" in answer["error"]
        wait_until(lambda: "imported" in server.log, 10)  # what the model's code prints is passed on


def test_model_server_speaks_kserve(iris_export: Path, tmp_path: Path) -> None:
    with ours(tmp_path, iris_export, MODEL_NAME="iris") as server:
        server.wait_until_ready()
        assert server.ask("GET", "/") == (200, {"status": "alive"})
        assert server.ask("GET", "/v1/models") == (200, {"models": ["iris"]})
        assert server.ask("GET", "/v1/models/iris") == (200, {"name": "iris", "ready": True})
        assert server.ask("POST", "/v1/models/iris:predict", {"instances": [ROW]}) == (200, {"predictions": [0]})
        assert server.ask("POST", "/v1/models/other:predict", {"instances": [ROW]})[0] == 404
        assert server.ask("HEAD", HEALTH) == (200, None)


def test_model_server_downloads_from_cloud_storage(iris_export: Path, store: str, tmp_path: Path) -> None:
    client = StorageClient(store)
    body = b'{"name": "models", "location": "us-central1"}'
    client.request("POST", "/storage/v1/b?project=demo", where="models", body=body, Content_Type="application/json")
    upload(client, plan_upload(client, list_files(iris_export).files, GsUri.parse("gs://models/iris/1")))
    client.close()
    # Google's clients take the variable with and without a scheme.
    for host in (store, store.removeprefix("http://")):
        with ours(tmp_path, "gs://models/iris/1/", STORAGE_EMULATOR_HOST=host) as server:
            server.wait_until_ready()
            assert server.predict({"instances": [ROW]}) == (200, {"predictions": [0]})
    with ours(tmp_path, "gs://models/none", STORAGE_EMULATOR_HOST=store) as server:
        assert "gs://models/none" in "\n".join(failed(server))


def test_model_server_ends_while_it_downloads(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with ours(tmp_path, "gs://models/iris", STORAGE_EMULATOR_HOST=f"127.0.0.1:{port}") as server:
        wait_until(lambda: "downloading" in server.log, 60)
        assert server.stop() == 0
    assert "Traceback" not in server.log


def test_model_server_is_healthy_only_when_the_model_is_loaded(routine: Path) -> None:
    (routine / "files" / "wait").touch()
    with ours(routine, routine / "files") as server:
        wait_until(lambda: connects(server.port), 60)
        status, answer = server.ask("GET", HEALTH)
        assert (status, answer) == (503, {"error": "the model is not loaded yet"})
        assert server.predict({"instances": [1]})[0] == 503
        assert server.ask("GET", "/v1/models/x") == (503, {"name": "x", "ready": False})
        assert server.ask("GET", "/")[0] == 200
        (routine / "files" / "go").touch()
        server.wait_until_ready()
        assert server.predict({"instances": [1]}) == (200, {"predictions": [101]})


def connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def test_model_server_without_a_loadable_model_says_why(iris_export: Path, routine: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    both = tmp_path / "both"
    shutil.copytree(iris_export, both)
    shutil.copy(both / "model.joblib", both / "model.pkl")
    for model, words in (
        (empty, "Could not find any of"),
        (both, "Multiple model files"),
        (tmp_path / "no", "no such"),
    ):
        with ours(tmp_path, model) as server:
            assert words in failed(server)[0]
    with ours(tmp_path, "") as server:
        assert "the container has no model" in failed(server)[0]
    with ours(routine, empty) as server:  # from_path raises
        assert "offset.json" in failed(server)[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AIP_HTTP_PORT", "http"),
        ("AIP_HTTP_PORT", "70000"),
        ("AIP_HEALTH_ROUTE", "health"),
        ("AIP_HEALTH_ROUTE", PREDICT),
        ("AIP_PREDICT_ROUTE", "/a?b"),
        ("AIP_STORAGE_URI", "s3://bucket/model"),
        ("MODEL_WORKERS", "0"),
        ("MODEL_PREDICT_SECONDS", "3601"),
        ("MODEL_NAME", "a/b"),
        ("MODEL_COALESCE", "yes"),
    ],
)
def test_model_server_names_the_invalid_variable(iris_export: Path, tmp_path: Path, name: str, value: str) -> None:
    with ours(tmp_path, iris_export, **{name: value}) as server:
        assert name in "".join(failed(server)[1:2])


def test_model_server_port_in_use(iris_export: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with ours(tmp_path, iris_export, AIP_HTTP_PORT=str(port)) as server:
            assert f"port {port}" in failed(server)[0]


def test_model_server_refuses_a_huge_body_and_stays(iris_export: Path, tmp_path: Path) -> None:
    with ours(tmp_path, iris_export, MODEL_WORKERS="1") as server:
        server.wait_until_ready()
        with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
            connection.sendall(
                b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n{" % PREDICT.encode()
            )
            assert connection.recv(1 << 16).startswith(b"HTTP/1.1 413 ")
        assert server.predict({"instances": [ROW]})[0] == 200


def test_model_server_answers_what_it_began_before_it_ends(routine: Path) -> None:
    with ours(routine, routine / "files", MODEL_WORKERS="2") as server, concurrent.futures.ThreadPoolExecutor() as pool:
        server.wait_until_ready()
        family = descendants(server.process.pid)
        request = {"instances": [1], "parameters": {"seconds": 1.0}}
        answer = pool.submit(server.predict, request)
        time.sleep(0.3)
        assert server.stop() == 0
        assert answer.result() == (200, {"predictions": [101]})
    wait_until(lambda: not any(map(alive, family)), 10)


def test_model_server_replaces_a_worker_that_died(routine: Path) -> None:
    with ours(routine, routine / "files", MODEL_WORKERS="1") as server:
        server.wait_until_ready()
        status, answer = server.predict({"instances": [1], "parameters": {"die": True}})
        assert status == 500
        assert "exited with code 7" in str(answer)
        wait_until(lambda: server.ask("GET", HEALTH)[0] == 200, 60)
        assert server.predict({"instances": [1]}) == (200, {"predictions": [101]})


def test_model_server_replaces_a_worker_that_hangs(routine: Path) -> None:
    with ours(routine, routine / "files", MODEL_WORKERS="1", MODEL_PREDICT_SECONDS="1") as server:
        server.wait_until_ready()
        status, answer = server.predict({"instances": [1], "parameters": {"seconds": 3600}})
        assert status == 500
        assert "timed out after 1 s" in str(answer)
        wait_until(lambda: server.ask("GET", HEALTH)[0] == 200, 60)
        assert server.predict({"instances": [1]}) == (200, {"predictions": [101]})


def test_model_server_that_cannot_replace_its_worker_ends(routine: Path) -> None:
    with ours(routine, routine / "files", MODEL_WORKERS="1") as server:
        server.wait_until_ready()
        (routine / "files" / "offset.json").unlink()
        assert server.predict({"instances": [1], "parameters": {"die": True}})[0] == 500
        assert server.process.wait(60) == 1
        assert "offset.json" in server.log


def test_model_server_predicts_each_request_alone(iris_data, tmp_path: Path) -> None:
    """A step over whole columns would see the rows of other requests."""
    steps = make_pipeline(FunctionTransformer(scale), LinearRegression()).fit(*iris_data)
    joblib.dump(steps, tmp_path / "model.joblib")
    bodies = [{"instances": [[5.0 + index / 10, 3.0, 1.4, 0.2]]} for index in range(12)]
    with ours(tmp_path, tmp_path, MODEL_WORKERS="1") as server, concurrent.futures.ThreadPoolExecutor(12) as pool:
        server.wait_until_ready()
        alone = [server.predict(body) for body in bodies]
        for _round in range(5):
            assert list(pool.map(server.predict, bodies)) == alone


def test_model_server_coalesces_only_what_stays_the_same(iris_export: Path, tmp_path: Path) -> None:
    good = [{"instances": [[5.0 + index / 10, 3.0, 1.4, 0.2]]} for index in range(12)]
    mixed = [{"instances": [[1.0, 2.0]]}, {"instances": [["a", "b", "c", "d"]]}, {"instances": []}]
    variables = {"MODEL_WORKERS": "1", "MODEL_COALESCE": "1"}
    with ours(tmp_path, iris_export, **variables) as server, concurrent.futures.ThreadPoolExecutor(15) as pool:
        server.wait_until_ready()
        alone = [server.predict(body) for body in good + mixed]
        for _round in range(5):
            assert list(pool.map(server.predict, good + mixed)) == alone
    assert [status for status, _ in alone] == [200] * 12 + [400] * 3


def test_model_server_killed_leaves_no_worker(iris_export: Path, tmp_path: Path) -> None:
    with ours(tmp_path, iris_export) as server:
        server.wait_until_ready()
        family = descendants(server.process.pid)
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait(10)
    assert family
    wait_until(lambda: not any(map(alive, family)), 20)


def test_model_server_log_has_no_traceback_for_a_malformed_request(routine: Path) -> None:
    with ours(routine, routine / "files", MODEL_WORKERS="1") as server:
        server.wait_until_ready()
        for body in (b"no JSON", b"[]", b"{}"):
            assert server.predict(body)[0] == 400
        assert server.predict({"instances": [None]})[0] == 400  # an error of the model's own code
        wait_until(lambda: "TypeError" in server.log, 10)
    assert server.log.count("ModelError: ") == 1
