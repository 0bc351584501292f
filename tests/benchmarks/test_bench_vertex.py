"""Vertex AI's API of the embedded server, beside AI Platform's in the same process. Numbers are printed; none fails.

`pytest -m benchmark tests/benchmarks/test_bench_vertex.py`; the time of the SDK needs the extra `vertex-test`.
"""

from __future__ import annotations

import statistics
import time

import pytest
from engines import BODY, Engine, ServerProcess, ours
from http_load import post
from request_loops import Goal, seconds, spread, times
from test_bench_serving import Row
from vertex_requests import IMAGE, create_endpoint, deploy, upload

pytestmark = pytest.mark.benchmark

ROUNDS = 15  # single rounds differ by a fifth on a shared machine


@pytest.fixture
def server(tmp_path):
    server = ServerProcess(tmp_path / "data").start()
    yield server
    server.stop()


def endpoint_engine(server, name, path):
    return Engine(name, server.process.pid, server.state.port, post(f"{path}:predict", BODY, server.state.token))


def test_bench_vertex_predict(server, iris_export, tell):
    """The same model by AI Platform's route, through an endpoint, and through one whose traffic is split."""
    assert "response" in server.deploy(iris_export, framework="SCIKIT_LEARN")
    model = upload(server, iris_export)
    one, two = create_endpoint(server, "one"), create_endpoint(server, "two")
    deploy(server, one, model)
    first = deploy(server, two, model)
    deploy(server, two, model, {"0": 50, first: 50})
    engines = [
        ours(server, "AI Platform"),
        endpoint_engine(server, "endpoint", one),
        endpoint_engine(server, "split over two", two),
    ]
    for connections in (1, 8):
        rows = {engine.name: Row() for engine in engines}
        for number in range(ROUNDS):
            for engine in engines[number % 3 :] + engines[: number % 3]:
                rows[engine.name].measure(engine, connections)
        for name, row in rows.items():
            tell(f"c={connections} {name:14} {row}")
        goals = (("endpoint", "AI Platform", Goal(least=0.9)), ("split over two", "endpoint", Goal(least=0.95)))
        for over, under, goal in goals:
            pairs = list(zip(rows[over].rates, rows[under].rates, strict=True))
            found = [mine / other for mine, other in pairs]
            told = goal.told(statistics.median(found))
            tell(f"c={connections} {over} / {under}: {spread(found, times)} of the requests/s; {told}")
            cost = min(rows[over].costs) / min(rows[under].costs)
            tell(f"c={connections} {over} / {under}: {times(cost)} of the processor time of a request")


def test_bench_vertex_sdk(server, iris_export, tell):
    """`Model.upload`, `deploy` and `predict` with google-cloud-aiplatform: goal 2 s together."""
    aiplatform = pytest.importorskip("google.cloud.aiplatform")
    from google.oauth2.credentials import Credentials

    uri = server.upload(iris_export, "gs://bucket-of-models/iris")
    aiplatform.init(
        project="proj",
        location="us-central1",
        api_endpoint=server.url,
        api_transport="rest",
        credentials=Credentials(server.state.token),
    )
    parts: dict[str, list[float]] = {"upload": [], "deploy": [], "predict": []}

    def run():
        found = {}

        def timed(part, call):
            begun = time.perf_counter()
            found[part] = call()
            parts[part].append(time.perf_counter() - begun)

        model = aiplatform.Model
        image = IMAGE
        timed(
            "upload",
            lambda: model.upload(display_name="iris", artifact_uri=uri, serving_container_image_uri=image),
        )
        timed("deploy", lambda: found["upload"].deploy(machine_type="n1-standard-2"))
        timed("predict", lambda: found["deploy"].predict(instances=[[5.1, 3.5, 1.4, 0.2]]))
        assert found["predict"].predictions == [0]

    for number in range(3):
        whole = seconds(run)
        told = ", ".join(f"{part} {values[-1]:.3f} s" for part, values in parts.items())
        tell(
            f"SDK, {'first' if number == 0 else 'next'} deployment: {whole:.2f} s ({told}); {Goal(most=2).told(whole)}"
        )
