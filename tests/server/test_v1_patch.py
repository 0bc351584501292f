"""models.patch and versions.patch over HTTP: update masks, etags, what follows from a patch."""

import pytest
from server_process import descendants, wait_until

P = "/v1/projects/proj"
REGION = {"Host": "us-east1-ml.googleapis.com"}


def refused(answer, code, status):
    assert answer.status == code, answer
    assert answer.body["error"]["status"] == status
    return answer.body["error"]["message"]


@pytest.fixture
def model(shared_server, request):
    """A model of the test's own."""
    name = f"m{abs(hash(request.node.name))}"
    shared_server.ok("POST", f"{P}/models", {"name": name, "description": "old", "labels": {"a": "1"}})
    return f"{P}/models/{name}"


@pytest.fixture(scope="module")
def version(shared_server, sklearn_dir):
    """A READY version on the global endpoint; tests change it, none relies on what another left."""
    assert shared_server.deploy(sklearn_dir, "patched", "v1")["response"]["state"] == "READY"
    return f"{P}/models/patched/versions/v1"


def test_patch_of_a_model_is_an_operation_that_is_done(shared_server, model):
    body = {"description": "new", "labels": {"b": "2"}, "regions": ["us-east1"], "onlinePredictionLogging": True}
    operation = shared_server.ok("PATCH", f"{model}?updateMask=labels,description&alt=json", body)
    assert operation["done"] is True
    metadata = operation["metadata"]
    assert (metadata["operationType"], metadata["labels"]) == ("UPDATE_MODEL", {"b": "2"})
    assert metadata["projectNumber"].isdecimal()
    response = dict(operation["response"])
    assert response.pop("@type") == "type.googleapis.com/google.cloud.ml.v1.Model"
    shown = shared_server.ok("GET", model)
    assert response == shown
    assert (shown["description"], shown["labels"], shown["regions"]) == ("new", {"b": "2"}, ["us-central1"])
    assert "onlinePredictionLogging" not in shown  # only what the mask names
    assert shared_server.ok("GET", f"/v1/{operation['name']}") == operation


def test_patch_clears_what_the_mask_names_and_the_body_has_not(shared_server, model):
    shared_server.ok("PATCH", f"{model}?updateMask=description", {"labels": {"c": "3"}})
    shown = shared_server.ok("GET", model)
    assert "description" not in shown
    assert shown["labels"] == {"a": "1"}
    shared_server.ok("PATCH", f"{model}?updateMask=labels", {"labels": {}})
    assert "labels" not in shared_server.ok("GET", model)


@pytest.mark.parametrize("mask", ["default_version.name", "defaultVersion.name"])
@pytest.mark.parametrize("full", [False, True])
def test_patch_of_the_default_version(shared_server, sklearn_dir, mask, full):
    model = f"defaults_{mask.replace('.', '_')}_{full}"
    shared_server.deploy(sklearn_dir, model, "v1")
    shared_server.deploy(sklearn_dir, model, "v2")
    path = f"{P}/models/{model}"
    for version in ("v2", "v1"):
        name = f"projects/proj/models/{model}/versions/{version}" if full else version
        body = {mask.partition(".")[0]: {"name": name}}
        assert shared_server.ok("PATCH", f"{path}?updateMask={mask}", body)["done"]
        assert shared_server.ok("GET", path)["defaultVersion"]["name"].endswith(f"/{version}")


@pytest.mark.parametrize(
    ("query", "body", "code", "text"),
    [
        ("", {"description": "x"}, 400, "Field: update_mask Error: The update mask must be present and non-empty."),
        ("updateMask=", {"description": "x"}, 400, "must be present"),
        ("updateMask=,%20,", {}, 400, "must be present"),
        (
            "updateMask=regions",
            {"regions": ["us-east1"]},
            400,
            "The field 'regions' cannot be updated. Updatable fields: ",
        ),
        ("updateMask=description,name", {"name": "b"}, 400, "'name' cannot be updated"),
        ("updateMask=onlinePredictionLogging", {}, 400, "'online_prediction_logging' cannot be updated"),
        ("updateMask=*", {}, 400, "'*' cannot be updated"),
        ("updateMask=labels", {"labels": {"A": "b"}}, 400, "Field: model.labels.A Error: label key 'A' has characters"),
        ("updateMask=description", {"descr": "x"}, 400, "Unknown name \"descr\" at 'model': Cannot find field."),
        ("updateMask=description", b"[1]", 400, "The body must be a JSON object"),
        ("updateMask=default_version.name", {}, 400, "Field: model.default_version.name Error: The name of a version"),
        ("updateMask=default_version.name", {"defaultVersion": {"name": "none"}}, 404, '"none" of model'),
        ("updateMask=default_version.name", {"defaultVersion": {"name": "projects/x/y"}}, 400, "name of a version"),
    ],
)
def test_patch_of_a_model_that_is_refused(shared_server, model, query, body, code, text):
    before = shared_server.ok("GET", model)
    answer = shared_server.call("PATCH", f"{model}?{query}", body)
    assert text in refused(answer, code, "INVALID_ARGUMENT" if code == 400 else "NOT_FOUND")
    assert shared_server.ok("GET", model) == before


def test_patch_etag_must_be_the_current_one_in_either_alphabet(shared_server, model):
    path, seen = f"{model}?updateMask=description", set()
    for number in range(200):  # until an etag has had a character in which the alphabets differ
        etag = shared_server.ok("GET", model)["etag"]
        seen |= set(etag) & set("+/")
        url_safe = etag.replace("+", "-").replace("/", "_")
        shared_server.ok("PATCH", path, {"description": f"d{number}", "etag": url_safe.rstrip("=")})
        lost = refused(shared_server.call("PATCH", path, {"description": "x", "etag": etag}), 409, "ABORTED")
        assert lost.startswith("Field: model.etag Error: The resource was changed since it was read")
        assert shared_server.ok("GET", model)["description"] == f"d{number}"
        if seen == {"+", "/"}:
            break
    assert seen == {"+", "/"}
    text = refused(shared_server.call("PATCH", path, {"etag": "no base64!"}), 400, "INVALID_ARGUMENT")
    assert "Field: model.etag Error: Invalid etag: expected" in text


def test_patch_of_a_version(shared_server, version):
    body = {"description": "better", "labels": {"team": "nlp"}, "machineType": "n1-standard-8"}
    operation = shared_server.ok("PATCH", f"{version}?updateMask=description,labels", body)
    assert operation["metadata"]["operationType"] == "UPDATE_VERSION"
    assert operation["metadata"]["version"]["name"].endswith("/v1")
    response = dict(operation["response"])
    assert response.pop("@type") == "type.googleapis.com/google.cloud.ml.v1.Version"
    shown = shared_server.ok("GET", version)
    assert response == shown
    assert (shown["description"], shown["labels"]) == ("better", {"team": "nlp"})
    assert shown["machineType"] == "mls1-c1-m2"
    assert shown["state"] == "READY"


def test_patch_changes_the_etag_but_a_prediction_does_not(shared_server, version):
    etag = shared_server.ok("GET", version)["etag"]
    shared_server.ok("POST", f"{version}:predict", {"instances": [[0, 0]]})
    shown = shared_server.ok("GET", version)
    assert shown["lastUseTime"] >= shown["createTime"]
    assert shown["etag"] == etag
    shared_server.ok("PATCH", f"{version}?updateMask=description", {"description": "etag", "etag": etag})
    answer = shared_server.call("PATCH", f"{version}?updateMask=description", {"description": "x", "etag": etag})
    assert "Field: version.etag" in refused(answer, 409, "ABORTED")


def test_patch_of_request_logging_whole_or_in_part(shared_server, version):
    config = {"bigqueryTableName": "p.d.t", "samplingPercentage": 0.5}
    shared_server.ok("PATCH", f"{version}?updateMask=requestLoggingConfig", {"requestLoggingConfig": config})
    assert shared_server.ok("GET", version)["requestLoggingConfig"] == config
    path = f"{version}?updateMask=request_logging_config.sampling_percentage"
    shared_server.ok("PATCH", path, {"request_logging_config": {"sampling_percentage": 1}})
    assert shared_server.ok("GET", version)["requestLoggingConfig"] == {**config, "samplingPercentage": 1.0}
    shared_server.ok("PATCH", f"{version}?updateMask=requestLoggingConfig", {})
    assert "requestLoggingConfig" not in shared_server.ok("GET", version)


@pytest.mark.parametrize(
    ("mask", "body", "status", "text"),
    [
        ("machineType", {"machineType": "x"}, "INVALID_ARGUMENT", "The field 'machine_type' cannot be updated."),
        ("isDefault", {}, "INVALID_ARGUMENT", "'is_default' cannot be updated"),
        ("manualScaling.nodes", {"manualScaling": {"nodes": 2}}, "FAILED_PRECONDITION", "'mls1-c1-m2': manual scaling"),
        ("autoScaling.minNodes", {"autoScaling": {"minNodes": -1}}, "INVALID_ARGUMENT", "must not be negative"),
        ("autoScaling.maxNodes", {"autoScaling": {"maxNodes": 0}}, "INVALID_ARGUMENT", "must be at least 1"),
        ("requestLoggingConfig", {"requestLoggingConfig": {}}, "INVALID_ARGUMENT", "The name of a BigQuery table"),
        (
            "requestLoggingConfig",
            {"requestLoggingConfig": {"bigqueryTableName": "p.d.t", "samplingPercentage": 50}},
            "INVALID_ARGUMENT",
            "A fraction from 0 to 1",
        ),
        ("labels", {"labels": {"a": "B"}}, "INVALID_ARGUMENT", "Field: version.labels.a"),
    ],
)
def test_patch_of_a_version_that_is_refused(shared_server, version, mask, body, status, text):
    before = shared_server.ok("GET", version)
    assert text in refused(shared_server.call("PATCH", f"{version}?updateMask={mask}", body), 400, status)
    assert shared_server.ok("GET", version) == before


def test_patch_of_scaling_takes_effect_on_the_running_nodes(server, sklearn_dir):
    uri = server.upload(sklearn_dir, "gs://bucket/m")
    server.ok("POST", f"{P}/models", {"name": "m"}, **REGION)
    path = f"{P}/models/m/versions"
    body = {"name": "v1", "deploymentUri": uri, "manualScaling": {"nodes": 1}}
    server.wait(server.ok("POST", path, body, **REGION), **REGION)

    def nodes():
        return len(descendants(server.process.pid))

    one = nodes()
    patched = {"manualScaling": {"nodes": 2}}
    operation = server.ok("PATCH", f"{path}/v1?updateMask=manualScaling.nodes", patched, **REGION)
    assert operation["response"]["manualScaling"] == {"nodes": 2}
    wait_until(lambda: nodes() == one + 1)
    # The other kind of scaling replaces it.
    patched = {"autoScaling": {"minNodes": 1, "maxNodes": 1}}
    mask = "autoScaling.minNodes,auto_scaling.max_nodes"
    shown = server.ok("PATCH", f"{path}/v1?updateMask={mask}", patched, **REGION)["response"]
    assert shown["autoScaling"] == {"minNodes": 1, "maxNodes": 1}
    assert "manualScaling" not in shown
    wait_until(lambda: nodes() == one)
    zero = server.call(
        "PATCH", f"{path}/v1?updateMask=autoScaling.minNodes", {"autoScaling": {"minNodes": 0}}, **REGION
    )
    assert "N1 machines keep at least one node" in refused(zero, 400, "INVALID_ARGUMENT")
    both = {"manualScaling": {"nodes": 1}, "autoScaling": {"minNodes": 1}}
    answer = server.call("PATCH", f"{path}/v1?updateMask=manualScaling,autoScaling", both, **REGION)
    assert "are mutually exclusive" in refused(answer, 400, "INVALID_ARGUMENT")
