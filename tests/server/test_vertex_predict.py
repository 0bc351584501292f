"""endpoints.predict and rawPredict: routing by the split, the form of answers and errors, limits, restarts."""

import collections
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from custom_models import ROUTINE, routine_dir, sdist
from server_process import LABELS, ROWS, wait_until
from vertex_requests import PARENT, clear, create_endpoint, deploy, end, start_deploy, undeploy, upload

BODY = {"instances": ROWS}
RAW = json.dumps(BODY).encode()
MODEL_FIELDS = {"deployedModelId", "model", "modelDisplayName", "modelVersionId"}


@pytest.fixture(scope="module")
def iris(shared_server, sklearn_dir):
    return upload(shared_server, sklearn_dir).partition("@")[0]


@pytest.fixture
def endpoint(shared_server, iris):
    yield create_endpoint(shared_server, "e")
    clear(shared_server)


def error(answer, status=400):
    assert answer.status == status, answer
    assert answer.body["error"]["code"] == status
    return answer.body["error"]["status"], answer.body["error"]["message"]


def test_vertex_predict_answers_the_bytes_of_the_worker_and_four_fields(shared_server, iris, endpoint):
    one = deploy(shared_server, endpoint, iris, displayName='a "name" – ü')
    answer = shared_server.ok("POST", f"{endpoint}:predict", BODY)
    number = iris.split("/")[1]
    assert answer == {
        "predictions": LABELS,
        "deployedModelId": one,
        "model": f"projects/{number}/locations/us-central1/models/iris",
        "modelDisplayName": 'a "name" – ü',
        "modelVersionId": "1",
    }
    for path in (endpoint.replace("/v1/", "/v1beta1/"), endpoint.replace("/proj/", f"/{number}/")):
        assert shared_server.ok("POST", f"{path}:predict?$alt=json;enum-encoding=int", BODY) == answer


def test_vertex_raw_predict_answers_as_the_model_server(shared_server, iris, endpoint):
    one = deploy(shared_server, endpoint, iris)
    raw = shared_server.call("POST", f"{endpoint}:rawPredict", RAW, Content_Type="text/plain")
    assert raw.body == {"predictions": LABELS}
    assert raw.headers["X-Vertex-AI-Endpoint-Id"] == "e"
    assert raw.headers["X-Vertex-AI-Deployed-Model-Id"] == one


def test_vertex_predict_errors(shared_server, iris, endpoint):
    name = endpoint.removeprefix("/v1/").replace("proj/", f"{iris.split('/')[1]}/")
    path = f"{endpoint}:predict"
    assert error(shared_server.call("POST", path, BODY)) == (
        "FAILED_PRECONDITION",
        f"Endpoint {name} doesn't have traffic_split.",
    )
    unknown = shared_server.call("POST", f"{PARENT}/endpoints/none:predict", BODY)
    assert error(unknown, 404) == ("NOT_FOUND", f"Endpoint `{name.removesuffix('/e')}/none` not found.")
    deploy(shared_server, endpoint, iris)
    status, text = error(shared_server.call("POST", path, {"instances": [[1.0]]}))
    assert status == "FAILED_PRECONDITION"
    assert text.startswith('"Prediction failed: Exception during sklearn prediction: X has 1 features')
    assert text.endswith('"\n')
    odd = error(shared_server.call("POST", path, b'{"instances": [[1.0]], "\\ud800": 1}'))
    assert r"unexpected keyword argument '\\ud800'" in odd[1]
    for bad in (b"{", b"", b"[]", b"{}", b"\xff"):
        assert error(shared_server.call("POST", path, bad))[1].startswith('"Prediction failed: ')
        assert error(shared_server.call("POST", path.replace("predict", "rawPredict"), bad))
    assert error(shared_server.call("POST", f"{endpoint}:explain", BODY), 501)[0] == "UNIMPLEMENTED"
    assert error(shared_server.call("GET", path), 501)


@pytest.mark.parametrize(
    ("dedicated", "limit", "text"), [(False, 1_572_864, "1.500MB"), (True, 10_485_760, "10.000MB")]
)
def test_vertex_predict_limits_the_request(shared_server, iris, endpoint, dedicated, limit, text):
    path = create_endpoint(shared_server, "limited", dedicatedEndpointEnabled=dedicated)
    deploy(shared_server, path, iris)
    assert shared_server.call("POST", f"{path}:predict", RAW.ljust(limit)).status == 200
    for size in (limit + 1, limit + 100_000):
        refused = shared_server.call("POST", f"{path}:predict", RAW.ljust(size))
        assert error(refused) == ("FAILED_PRECONDITION", f"The request size ({size} bytes) exceeds {text} limit.")


def test_vertex_predict_passes_parameters_as_vertex_does(shared_server, iris, endpoint, tmp_path):
    """A routine gets each as an argument, a scikit-learn model `parameters`, which its predict does not have."""
    deploy(shared_server, endpoint, iris)
    refused = shared_server.call("POST", f"{endpoint}:predict", {**BODY, "parameters": {}})
    assert "unexpected keyword argument 'parameters'" in error(refused)[1]

    sdist(tmp_path / "code", "my_routine", my_routine=ROUTINE)
    uri = shared_server.upload(tmp_path / "code", "gs://bucket-of-models/code")
    image = "us-central1-docker.pkg.dev/proj/own/routine:1"
    pushed = {"imageUri": image, "predictionClass": "my_routine.Routine"}
    shared_server.ok("PUT", "/aip-magics/images", {**pushed, "packageUris": [f"{uri}/my_routine-0.1.tar.gz"]})
    model = upload(shared_server, routine_dir(tmp_path / "offset"), "routine", containerSpec={"imageUri": image})
    routine = create_endpoint(shared_server, "routine")
    deploy(shared_server, routine, model)

    def predict(body, method="predict"):
        return shared_server.ok("POST", f"{routine}:{method}", body)["predictions"]

    assert predict({"instances": [1, 2]}) == [101, 102]
    assert predict({"instances": [1, 2], "parameters": {"factor": 3}}) == [103, 106]
    assert predict({"instances": [1, 2], "parameters": {"factor": 3}}, "rawPredict") == [103, 106]
    assert predict({"instances": [1, 2], "parameters": None}) == [101, 102]
    assert predict({"instances": [1], "parameters": {"text": "\ud800 – ü", "factor": 2}}) == [102]
    for bad, text in (({"instances": []}, "'instances'"), ([1], "must be an object")):
        status, message = error(shared_server.call("POST", f"{routine}:predict", {"instances": [1], "parameters": bad}))
        assert (status, text in message) == ("INVALID_ARGUMENT", True)


def test_vertex_predict_spreads_parameters_for_a_pushed_image(shared_server, endpoint, sklearn_dir):
    """The model server of a pushed image is ours, whatever it holds."""
    image = "us-central1-docker.pkg.dev/proj/own/framework:1"
    shared_server.ok("PUT", "/aip-magics/images", {"imageUri": image, "framework": "SCIKIT_LEARN"})
    deploy(shared_server, endpoint, upload(shared_server, sklearn_dir, "pushed", containerSpec={"imageUri": image}))
    assert shared_server.ok("POST", f"{endpoint}:predict", {**BODY, "parameters": {}})["predictions"] == LABELS


def test_vertex_predict_follows_each_change_of_the_split(shared_server, iris, endpoint):
    ids = [deploy(shared_server, endpoint, iris, {}), deploy(shared_server, endpoint, iris, {})]
    for turn in range(10):
        wanted = ids[turn % 2]
        shared_server.ok("PATCH", f"{endpoint}?updateMask=trafficSplit", {"trafficSplit": {wanted: 100}})
        assert shared_server.ok("POST", f"{endpoint}:predict", BODY)["deployedModelId"] == wanted
    shared_server.ok("PATCH", f"{endpoint}?updateMask=trafficSplit", {"trafficSplit": {}})
    assert "doesn't have traffic_split" in error(shared_server.call("POST", f"{endpoint}:predict", BODY))[1]


def test_vertex_predict_by_one_deployed_model_needs_no_traffic(shared_server, iris, endpoint):
    ids = [deploy(shared_server, endpoint, iris), deploy(shared_server, endpoint, iris, {})]
    for id_ in ids:
        answer = shared_server.ok("POST", f"{endpoint}/deployedModels/{id_}:predict", BODY)
        assert (answer["deployedModelId"], answer["predictions"]) == (id_, LABELS)
    undeploy(shared_server, endpoint, ids[1])
    gone = shared_server.call("POST", f"{endpoint}/deployedModels/{ids[1]}:predict", BODY)
    assert error(gone, 404)[0] == "NOT_FOUND"


@pytest.mark.slow
def test_vertex_predict_canary_gets_its_tenth(shared_server, iris, endpoint):
    """5,000 requests, 10 % of them to the canary: 500 ± 6.2 standard deviations, which chance breaks once in 10^9."""
    main = deploy(shared_server, endpoint, iris)
    canary = deploy(shared_server, endpoint, iris, {"0": 10, main: 90})
    idle = deploy(shared_server, endpoint, iris, {})
    shared_server.ok("PATCH", f"{endpoint}?updateMask=trafficSplit", {"trafficSplit": {main: 90, canary: 10, idle: 0}})

    def ask(_):
        with requests.Session() as http:
            http.trust_env = False
            http.headers["Authorization"] = f"Bearer {shared_server.state.token}"
            url = f"{shared_server.url}{endpoint}:predict"
            return collections.Counter(http.post(url, RAW, timeout=60).json()["deployedModelId"] for _ in range(1250))

    with ThreadPoolExecutor(4) as pool:
        seen = sum(pool.map(ask, range(4)), collections.Counter())
    assert set(seen) == {main, canary}
    assert seen.total() == 5000
    assert 369 <= seen[canary] <= 631


def test_vertex_predict_loses_no_request_when_versions_are_exchanged(shared_server, iris, endpoint):
    """Deploy, shift the traffic, undeploy, over and over, while clients ask."""
    current = deploy(shared_server, endpoint, iris)
    stopped, statuses = threading.Event(), collections.Counter()

    def ask():
        with requests.Session() as http:
            http.trust_env = False
            http.headers["Authorization"] = f"Bearer {shared_server.state.token}"
            while not stopped.is_set():
                statuses[http.post(f"{shared_server.url}{endpoint}:predict", RAW, timeout=60).status_code] += 1

    clients = [threading.Thread(target=ask) for _ in range(2)]
    for client in clients:
        client.start()
    try:
        for _ in range(3):
            new = deploy(shared_server, endpoint, iris, {"0": 50, current: 50})
            shared_server.ok("PATCH", f"{endpoint}?updateMask=trafficSplit", {"trafficSplit": {new: 100}})
            assert undeploy(shared_server, endpoint, current).status == 200
            current = new
    finally:
        stopped.set()
        for client in clients:
            client.join()
    assert set(statuses) == {200}


def test_vertex_predict_serves_on_after_a_restart(new_server, sklearn_dir):
    server = new_server().start()
    model = upload(server, sklearn_dir)
    endpoint = create_endpoint(server, "e")
    one = deploy(server, endpoint, model)
    two = deploy(server, endpoint, model, {"0": 40, one: 60})
    before = server.ok("GET", endpoint)
    server.kill()
    again = new_server(data_dir=server.data_dir).start()
    assert again.ok("GET", endpoint) == before
    seen = {again.ok("POST", f"{endpoint}:predict", BODY)["deployedModelId"] for _ in range(60)}
    assert seen == {one, two}


@pytest.mark.parametrize("delay", [0.0, 0.1, 0.4])
def test_vertex_deploy_survives_a_kill(new_server, sklearn_dir, delay):
    """kill -9 in the middle of deployModel: the next server finishes it, and the endpoint is usable all the time."""
    server = new_server().start()
    model = upload(server, sklearn_dir)
    endpoint = create_endpoint(server, "e")
    one = deploy(server, endpoint, model)
    operation = start_deploy(server, endpoint, model, {"0": 100, one: 0}).body
    time.sleep(delay)
    server.kill()
    again = new_server(data_dir=server.data_dir).start()
    assert again.ok("POST", f"{endpoint}:predict", BODY)["predictions"] == LABELS
    done = end(again, operation)
    new = done["response"]["deployedModel"]["id"]
    shown = again.ok("GET", endpoint)
    assert [model["id"] for model in shown["deployedModels"]] == [one, new]
    assert shown["trafficSplit"] == {new: 100, one: 0}
    assert again.ok("POST", f"{endpoint}:predict", BODY)["deployedModelId"] == new
    for id_ in (one, new):
        again.ok("PATCH", f"{endpoint}?updateMask=trafficSplit", {"trafficSplit": {}})
        assert undeploy(again, endpoint, id_).status == 200
    again.ok("DELETE", endpoint)
    assert again.ok("DELETE", f"{PARENT}/models/iris")["done"] is True
    wait_until(lambda: not any((again.data_dir / "artifacts").iterdir()))
