"""Operations and locations of Vertex AI's API, below each of the prefixes that clients use."""

import pytest
from vertex_requests import IMAGE, PARENT, REGION

PREFIXES = ("v1", "v1beta1", "ui")


@pytest.fixture
def operation(shared_server, sklearn_dir):
    """A finished operation of a new model."""
    uri = shared_server.upload(sklearn_dir, "gs://bucket/operations")
    model = {"displayName": "o", "artifactUri": uri, "containerSpec": {"imageUri": IMAGE}}
    return shared_server.ok("POST", f"{PARENT}/models:upload?%24alt=json%3Benum-encoding%3Dint", {"model": model})


def test_vertex_operations_have_two_names_below_each_prefix(shared_server, operation):
    name = operation["name"]
    parent, _, number = name.partition("/models/")[0], *name.rpartition("/")[1:]
    flat = f"{parent}/operations/{number}"
    by_id = flat.replace(parent, f"projects/proj/locations/{REGION}")
    for prefix in PREFIXES:
        for path in (name, flat, by_id):
            assert shared_server.ok("GET", f"/{prefix}/{path}") == operation
            assert shared_server.ok("POST", f"/{prefix}/{path}:cancel", {}) == {}
            assert shared_server.ok("POST", f"/{prefix}/{path}:wait", {"timeout": "1s"}) == operation
    other = name.replace("/models/", "/models/x")
    assert shared_server.call("GET", f"/v1/{other}").status == 404
    assert shared_server.call("GET", f"/v1/{flat.replace(REGION, 'us-east1')}").status == 404
    refused = shared_server.call("POST", f"/v1/{flat}:wait?timeout=soon")
    assert (refused.status, "timeout" in refused.body["error"]["message"]) == (400, True)


def test_vertex_operations_are_listed_and_deleted(shared_server, operation):
    model = operation["response"]["model"]
    shared_server.ok("DELETE", f"/v1/{model}")
    own = shared_server.ok("GET", f"/v1/{model}/operations")["operations"]
    assert [one["metadata"]["@type"].rpartition(".")[2] for one in own] == [
        "DeleteOperationMetadata",
        "UploadModelOperationMetadata",
    ]
    every = shared_server.ok("GET", f"{PARENT}/operations?pageSize=100")["operations"]
    assert every[:2] == own
    page = shared_server.ok("GET", f"/v1/{model}/operations?pageSize=1")
    assert page["operations"] == own[:1]
    again = shared_server.ok("GET", f"/v1/{model}/operations?pageSize=1&pageToken={page['nextPageToken']}")
    assert again == {"operations": own[1:]}
    assert shared_server.ok("GET", f"/v1/{model}/operations?filter=done=false") == {}
    assert shared_server.ok("DELETE", f"/ui/{operation['name']}") == {}
    assert shared_server.call("GET", f"/v1/{operation['name']}").status == 404
    assert shared_server.ok("GET", f"/v1/{model}/operations")["operations"] == own[:1]


def test_vertex_operations_are_not_those_of_ai_platform(shared_server):
    shared_server.ok("POST", "/v1/projects/proj/models", {"name": "old"}, Host="us-east4-ml.googleapis.com")
    answer = shared_server.call("DELETE", "/v1/projects/proj/models/old", Host="us-east4-ml.googleapis.com")
    old = answer.body["name"].rpartition("/")[2]
    path = f"projects/proj/locations/us-east4/operations/{old}"
    assert shared_server.ok("GET", f"/v1/{path}")["metadata"]["operationType"] == "DELETE_MODEL"
    assert shared_server.call("GET", f"/ui/{path}").status == 404
    assert shared_server.ok("GET", "/v1/projects/proj/locations/us-east4/operations") == {}


def test_vertex_locations_of_both_apis(shared_server):
    for prefix in PREFIXES:
        one = shared_server.ok("GET", f"/{prefix}/projects/proj/locations/{REGION}")
        assert (one["locationId"], one["capabilities"]) == (REGION, [{"type": "ONLINE_PREDICTION"}])
        assert one in shared_server.ok("GET", f"/{prefix}/projects/proj/locations?pageSize=100")["locations"]
    only_vertex = shared_server.ok("GET", "/v1/projects/proj/locations/me-central2")
    assert set(only_vertex) == {"name", "locationId"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/models/m:export"),
        ("POST", "/models:copy"),
        ("GET", "/models/m/evaluations"),
        ("POST", "/batchPredictionJobs"),
        ("GET", "/customJobs"),
        ("POST", "/publishers/google/models/x:generateContent"),
        ("POST", ":evaluateInstances"),
    ],
)
def test_vertex_methods_that_the_server_does_not_have(shared_server, method, path):
    for prefix in ("v1", "v1beta1"):
        answer = shared_server.call(method, f"{PARENT.replace('/v1/', f'/{prefix}/')}{path}", {})
        assert answer.status == 501
        error = answer.body["error"]
        assert error["status"] == "UNIMPLEMENTED"
        assert error["message"].startswith(f"The embedded server does not offer {method} '{path.lstrip('/:')}'")
