"""The v1 methods over HTTP: shapes, texts, paging."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

P = "/v1/projects/proj"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def error(answer, code, status):
    assert answer.status == code, answer
    body = answer.body["error"]
    assert body["code"] == code
    assert body["status"] == status
    return body["message"]


def test_v1_life_of_a_version(server, sklearn_dir):
    model = server.ok("POST", f"{P}/models", {"name": "m", "description": "d", "onlinePredictionLogging": False})
    assert set(model) == {"name", "description", "regions", "etag"}
    assert model["name"] == "projects/proj/models/m"
    assert model["regions"] == ["us-central1"]
    assert len(model["etag"]) == 12

    uri = server.upload(sklearn_dir, "gs://bucket/iris/v1")
    given = {"name": "v1", "deploymentUri": uri, "runtimeVersion": "2.11", "pythonVersion": "3.7", "labels": {"a": "b"}}
    begun = server.ok("POST", f"{P}/models/m/versions?alt=json", given)
    assert re.fullmatch(r"projects/proj/operations/create_m_v1-\d{13}", begun["name"])
    metadata = begun["metadata"]
    assert metadata["@type"] == "type.googleapis.com/google.cloud.ml.v1.OperationMetadata"
    assert metadata["operationType"] == "CREATE_VERSION"
    assert metadata["modelName"] == "projects/proj/models/m"
    assert metadata["labels"] == {"a": "b"}
    shown = {"createTime", "deploymentUri", "etag", "labels", "machineType", "name", "pythonVersion", "runtimeVersion"}
    assert set(metadata["version"]) == shown

    operation = server.wait(begun)
    assert "error" not in operation
    assert all(TIME.fullmatch(operation["metadata"][name]) for name in ("createTime", "startTime", "endTime"))
    response = operation["response"]
    assert response.pop("@type") == "type.googleapis.com/google.cloud.ml.v1.Version"
    version = server.ok("GET", f"{P}/models/m/versions/v1")
    assert response == version
    assert version["state"] == "READY"
    assert version["isDefault"] is True
    assert version["framework"] == "SCIKIT_LEARN"
    assert version["machineType"] == "mls1-c1-m2"
    assert version["deploymentUri"] == uri
    assert server.ok("GET", f"{P}/models/m")["defaultVersion"] == version

    body = {"instances": [[0.0, 0.0], [3.0, 3.0]]}
    assert server.ok("POST", f"{P}/models/m:predict", body) == {"predictions": [0, 1]}
    assert server.ok("POST", f"{P}/models/m/versions/v1:predict", body) == {"predictions": [0, 1]}

    runtime = server.ok("GET", f"{P}/models/m/versions/v1:runtime")
    assert runtime["class"].startswith("sklearn.")
    assert set(runtime["libraries"]) >= {"scikit-learn", "numpy", "python"}
    assert set(runtime["protection"]) == {"files", "network", "processes", "open", "by", "why"}

    message = error(server.call("DELETE", f"{P}/models/m"), 400, "FAILED_PRECONDITION")
    assert message.startswith("Field: name Error: A model that has versions cannot be deleted.")
    deleted = server.ok("DELETE", f"{P}/models/m/versions/v1")
    assert deleted["done"] is True
    assert deleted["response"] == {"@type": "type.googleapis.com/google.protobuf.Empty"}
    assert deleted["metadata"]["operationType"] == "DELETE_VERSION"
    assert "defaultVersion" not in server.ok("GET", f"{P}/models/m")
    gone = server.ok("DELETE", f"{P}/models/m")
    assert (gone["done"], gone["metadata"]["operationType"]) == (True, "DELETE_MODEL")
    error(server.call("GET", f"{P}/models/m"), 404, "NOT_FOUND")
    assert list((server.data_dir / "artifacts").iterdir()) == []
    names = [operation["name"] for operation in server.ok("GET", f"{P}/operations")["operations"]]
    assert names == [gone["name"], deleted["name"], begun["name"]]


def test_v1_default_version_changes_only_when_told(server, sklearn_dir):
    server.deploy(sklearn_dir, "m", "v1")
    server.deploy(sklearn_dir, "m", "v2")
    assert len(list((server.data_dir / "artifacts").iterdir())) == 1  # the same files are copied once
    assert server.ok("GET", f"{P}/models/m")["defaultVersion"]["name"].endswith("/v1")
    message = error(server.call("DELETE", f"{P}/models/m/versions/v1"), 400, "FAILED_PRECONDITION")
    assert "The default version cannot be deleted while the model has others." in message
    etag = server.ok("GET", f"{P}/models/m")["etag"]
    made = server.ok("POST", f"{P}/models/m/versions/v2:setDefault", {})
    assert made["isDefault"] is True
    assert server.ok("GET", f"{P}/models/m")["etag"] != etag
    assert "isDefault" not in server.ok("GET", f"{P}/models/m/versions/v1")
    server.ok("DELETE", f"{P}/models/m/versions/v1")
    assert server.ok("POST", f"{P}/models/m:predict", {"instances": [[0, 0]]}) == {"predictions": [0]}


def test_v1_same_name_may_exist_at_each_endpoint(server, sklearn_dir):
    regional = {"Host": "us-east1-ml.googleapis.com"}
    server.ok("POST", f"{P}/models", {"name": "m"})
    model = server.ok("POST", f"{P}/models", {"name": "m"}, **regional)
    assert model["regions"] == ["us-east1"]
    uri = server.upload(sklearn_dir, "gs://bucket/m")
    begun = server.ok("POST", f"{P}/models/m/versions", {"name": "v", "deploymentUri": uri}, **regional)
    error(server.call("GET", f"/v1/{begun['name']}"), 404, "NOT_FOUND")
    version = server.wait(begun, **regional)["response"]
    assert version["machineType"] == "n1-standard-2"
    error(server.call("GET", f"{P}/models/m/versions/v"), 404, "NOT_FOUND")
    assert server.ok("GET", f"{P}/models/m/versions") == {}
    answer = server.ok("POST", f"{P}/models/m:predict", {"instances": [[3, 3]]}, **regional)
    assert answer == {"predictions": [1]}


def test_v1_lists_are_paged(shared_server):
    project = "/v1/projects/paging"
    assert shared_server.ok("GET", f"{project}/models") == {}
    assert shared_server.ok("GET", f"{project}/operations") == {}
    names = [f"m{number:03}" for number in range(100)]
    for name in names:
        shared_server.ok("POST", f"{project}/models", {"name": name})
    assert len(shared_server.ok("GET", f"{project}/models")["models"]) == 20
    seen, token = [], ""
    while True:
        page = shared_server.ok("GET", f"{project}/models?pageSize=40&pageToken={token}")
        seen += [model["name"].rsplit("/")[-1] for model in page["models"]]
        token = page.get("nextPageToken", "")
        if not token:
            break
    assert seen == names
    for name in [*names, "m000"]:
        shared_server.ok("PATCH", f"{project}/models/{name}?updateMask=description", {"description": name})
    page = shared_server.ok("GET", f"{project}/operations?pageSize=1000&returnPartialSuccess=true")
    assert len(page["operations"]) == 100  # the most of one page
    page = shared_server.ok("GET", f"{project}/operations?pageToken={page['nextPageToken']}")
    assert [item["metadata"]["modelName"] for item in page["operations"]] == ["projects/paging/models/m000"]
    for query in ("pageSize=x", "pageSize=-1", "pageToken=%FF", "pageToken=abc", "filter=a"):
        error(shared_server.call("GET", f"{project}/models?{query}"), 400, "INVALID_ARGUMENT")
    for token in ("YQ==", "OTk5OTk5OTk5OTk5OTk5OTk5OTk="):  # no number, and one that no database can hold
        error(shared_server.call("GET", f"{project}/operations?pageToken={token}"), 400, "INVALID_ARGUMENT")


def test_v1_sixteen_racing_creates_have_one_winner(shared_server):
    barrier = threading.Barrier(16)

    def create(number):
        barrier.wait()
        return shared_server.call("POST", f"{P}/models", {"name": "raced", "description": str(number)})

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(create, range(16)))
    assert sorted(answer.status for answer in answers) == [200] + [409] * 15
    (winner,) = (answer.body for answer in answers if answer.status == 200)
    assert shared_server.ok("GET", f"{P}/models/raced") == winner
    lost = next(answer for answer in answers if answer.status == 409)
    text = "Field: model.name Error: A model with the same name already exists."
    assert error(lost, 409, "ALREADY_EXISTS") == text
    violations = lost.body["error"]["details"][0]["fieldViolations"]
    assert violations == [{"field": "model.name", "description": "A model with the same name already exists."}]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"name": "1a"}, "A name should start with a letter and contain only letters, numbers and underscores"),
        ({}, "Field: model.name Error: A name should"),
        ({"name": "a" * 129}, "at most 128 characters"),
        ({"name": "a", "regoins": []}, "Unknown name \"regoins\" at 'model': Cannot find field."),
        ({"name": 3}, "model.name"),
        ({"name": "a", "labels": {"a": 1}}, "model.labels.a"),
        ({"name": "a", "description": {}}, "model.description"),
        (b"{", "Invalid JSON payload received."),
        (b"[]", "Invalid JSON payload received."),
        (b'{"name": NaN}', "Invalid JSON payload received."),
        (b'{"name": "\\ud800"}', "Invalid JSON payload received."),
        (b"\xff", "Invalid JSON payload received."),
        (b"[" * 100_000, "Invalid JSON payload received."),
        (b" " * (1 << 20) + b"{}", "Request payload size exceeds the limit: 1048576 bytes."),
    ],
)
def test_v1_models_that_are_refused(shared_server, body, text):
    answer = shared_server.call("POST", f"{P}/models", body)
    assert text in error(answer, 400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    ("method", "path", "text"),
    [
        ("GET", f"{P}/models/none", 'Field: name Error: The model resource: "none" was not found.'),
        ("DELETE", f"{P}/models/none", "gcloud ai-platform models create none"),
        ("POST", f"{P}/models/none:predict", 'The model resource: "none" was not found.'),
        ("GET", f"{P}/models/none/versions", 'The model resource: "none" was not found.'),
        ("POST", f"{P}/models/none/versions", 'The model resource: "none" was not found.'),
        ("GET", f"{P}/models/empty/versions/v", 'The version resource: "v" of model "empty" was not found.'),
        ("DELETE", f"{P}/models/empty/versions/v", 'The version resource: "v"'),
        ("POST", f"{P}/models/empty/versions/v:setDefault", 'The version resource: "v"'),
        ("POST", f"{P}/models/empty/versions/v:predict", 'The version resource: "v"'),
        ("GET", f"{P}/operations/none", 'The operation: "none" was not found.'),
        ("POST", f"{P}/operations/none:cancel", 'The operation: "none" was not found.'),
        ("GET", "/v1/nothing", "The requested URL /v1/nothing with method GET was not found"),
        ("PUT", f"{P}/models", "with method PUT was not found"),
        ("GET", "/v1/x%0Ay", "was not found on this server"),
        ("GET", "/nothing", "The requested URL /nothing with method GET was not found"),
    ],
)
def test_v1_missing_resources_are_not_found(shared_server, method, path, text):
    shared_server.call("POST", f"{P}/models", {"name": "empty"})
    body = None if method == "GET" else {}
    assert text in error(shared_server.call(method, path, body), 404, "NOT_FOUND")


def test_v1_model_without_a_version_cannot_predict(shared_server):
    shared_server.call("POST", f"{P}/models", {"name": "bare"})
    answer = shared_server.call("POST", f"{P}/models/bare:predict", {"instances": []})
    assert 'The model "bare" has no default version' in error(answer, 400, "FAILED_PRECONDITION")


def test_v1_unknown_and_wrong_fields_of_a_version_are_named(shared_server):
    shared_server.call("POST", f"{P}/models", {"name": "fields"})
    path = f"{P}/models/fields/versions"
    for field, value, text in (
        ("frameworks", "X", "Invalid JSON payload received. Unknown name \"frameworks\" at 'version': Cannot find"),
        ("framework", "PYTORCH", "Field: version.framework Error: invalid value 'PYTORCH'"),
        ("autoScaling", {"minNode": 1}, "Unknown name \"minNode\" at 'version.auto_scaling': Cannot find field."),
        ("autoScaling", {"metrics": [{}, {"x": 1}]}, "Unknown name \"x\" at 'version.auto_scaling.metrics[1]'"),
        ("auto_scaling", {"min_nodes": "x"}, "Field: version.auto_scaling.min_nodes Error: expected a whole number"),
    ):
        answer = shared_server.call("POST", path, {"name": "v", "deploymentUri": "gs://b/d", field: value})
        assert text in error(answer, 400, "INVALID_ARGUMENT")
    answer = shared_server.call("POST", path, {"name": "v", "frameworks": 1, "uri": 2})
    first, second = error(answer, 400, "INVALID_ARGUMENT").split("\n")
    (detail,) = answer.body["error"]["details"]
    assert detail["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    assert detail["fieldViolations"][0] == {"field": "version", "description": f"{first} did you mean 'framework'?"}
    assert detail["fieldViolations"][1]["description"].startswith(second)
    assert shared_server.ok("GET", path) == {}
