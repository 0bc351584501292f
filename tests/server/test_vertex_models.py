"""Models of Vertex AI's API by plain HTTP: upload, versions, aliases, patch, delete, and what survives a restart."""

import concurrent.futures
import os
import shutil

import pytest
from server_process import wait_until
from vertex_requests import IMAGE, PARENT, REGION, create_endpoint, deploy, end, upload

from aip_magics.server import disk

MODELS = f"{PARENT}/models"


@pytest.fixture
def uri(shared_server, sklearn_dir):
    return shared_server.upload(sklearn_dir, "gs://bucket/artifacts")


def send(server, uri, request=None, **fields):
    """An upload; fields that are None are left out."""
    model = {"displayName": "Iris", "artifactUri": uri, "containerSpec": {"imageUri": IMAGE}, **fields}
    model = {name: value for name, value in model.items() if value is not None}
    return server.call("POST", f"{MODELS}:upload", {"model": model, **(request or {})})


def parent(model_id):
    return {"parentModel": f"projects/proj/locations/{REGION}/models/{model_id}"}


def refused(answer, code, status, *words):
    assert answer.status == code, answer
    error = answer.body["error"]
    assert (error["code"], error["status"]) == (code, status)
    for word in words:
        assert word in error["message"]
    return error["message"]


def aliases(server, model_id):
    """The aliases of each version."""
    listed = server.ok("GET", f"{MODELS}/{model_id}:listVersions")["models"]
    return {model["versionId"]: model.get("versionAliases", []) for model in listed}


def test_vertex_models_life_of_a_model(shared_server, uri):
    operation = send(shared_server, uri, {"modelId": "life"}, labels={"team": "a"}, description="d").body
    number = shared_server.ok("GET", "/v1/projects/proj:getConfig")["serviceAccountProject"]
    name = f"projects/{number}/locations/{REGION}/models/life"  # answers have the project's number
    assert operation["name"].startswith(f"{name}/operations/")
    assert operation["response"] == {
        "@type": "type.googleapis.com/google.cloud.aiplatform.v1.UploadModelResponse",
        "model": name,
        "modelVersionId": "1",
    }
    assert operation["metadata"]["@type"].endswith("v1.UploadModelOperationMetadata")

    model = shared_server.ok("GET", f"/v1/{name}")
    assert model == shared_server.ok("GET", f"{MODELS}/life") == shared_server.ok("GET", f"/v1beta1/{name}")
    assert (model["name"], model["displayName"], model["description"]) == (name, "Iris", "d")
    assert (model["versionId"], model["versionAliases"], model["labels"]) == ("1", ["default"], {"team": "a"})
    assert model["artifactUri"] == uri
    assert model["containerSpec"] == {"imageUri": IMAGE}
    assert model["createTime"] == model["updateTime"] == model["versionCreateTime"]

    patched = shared_server.ok(
        "PATCH", f"{MODELS}/life?updateMask=display_name,labels", {"displayName": "New", "labels": {"x": "y"}}
    )
    assert (patched["displayName"], patched["labels"], patched["description"]) == ("New", {"x": "y"}, "d")
    assert patched["updateTime"] > patched["createTime"]
    assert patched["etag"] != model["etag"]
    refused(shared_server.call("PATCH", f"{MODELS}/life?updateMask=displayName", model), 409, "ABORTED", "etag")
    shared_server.ok("PATCH", f"{MODELS}/life?updateMask=displayName,description", {**patched, "description": None})
    assert "description" not in shared_server.ok("GET", f"{MODELS}/life")

    operation = shared_server.ok("DELETE", f"{MODELS}/life")
    assert operation["response"] == {"@type": "type.googleapis.com/google.protobuf.Empty"}
    message = refused(shared_server.call("GET", f"{MODELS}/life"), 404, "NOT_FOUND")
    assert message == f"The Model `{name}` does not exist."


def test_vertex_models_versions_and_aliases(shared_server, uri):
    send(shared_server, uri, {"modelId": "versions"}, versionAliases=["v1"], versionDescription="first")
    send(shared_server, uri, parent("versions"), versionAliases=["v2"], labels={"of": "two"}, displayName="Other")
    send(shared_server, uri, parent("versions"), versionAliases=["v1", "default"])  # aliases move to the new version
    assert aliases(shared_server, "versions") == {"1": [], "2": ["v2"], "3": ["v1", "default"]}

    def version(name):
        return shared_server.ok("GET", f"{MODELS}/versions{name}")["versionId"]

    assert [version(name) for name in ("", "@2", "%402", "@v2", "%40v1", "@default")] == ["3", "2", "2", "2", "3", "3"]
    two = shared_server.ok("GET", f"{MODELS}/versions@v2")
    assert two["name"].endswith("/models/versions@2")
    assert (two["labels"], two["displayName"]) == ({"of": "two"}, "Iris")  # the display name is the model's
    assert "labels" not in shared_server.ok("GET", f"{MODELS}/versions")
    assert shared_server.ok("GET", f"{MODELS}/versions@1")["versionDescription"] == "first"
    refused(shared_server.call("GET", f"{MODELS}/versions@9"), 404, "NOT_FOUND", "models/versions@9")

    changed = shared_server.ok(
        "PATCH", f"{MODELS}/versions@2?updateMask=version_description", {"versionDescription": "d"}
    )
    assert changed["versionDescription"] == "d"
    assert changed["versionUpdateTime"] > changed["versionCreateTime"]
    answer = shared_server.call("PATCH", f"{MODELS}/versions@2?updateMask=displayName", {"displayName": "x"})
    refused(answer, 400, "INVALID_ARGUMENT", "display_name", "update_mask")

    merge = f"{MODELS}/versions%402:mergeVersionAliases"
    merged = shared_server.ok("POST", merge, {"versionAliases": ["default", "prod", "-v2"]})
    assert set(merged["versionAliases"]) == {"default", "prod"}
    assert aliases(shared_server, "versions") == {"1": [], "2": ["default", "prod"], "3": ["v1"]}
    shared_server.ok("POST", merge, {"versionAliases": ["v9", "-v9"]})  # the two cancel each other out
    assert aliases(shared_server, "versions")["2"] == ["default", "prod"]
    refused(shared_server.call("POST", merge, {"versionAliases": ["-default"]}), 400, "INVALID_ARGUMENT", "exactly one")
    refused(shared_server.call("POST", merge, {"versionAliases": ["3"]}), 400, "INVALID_ARGUMENT", "alias '3'")
    refused(shared_server.call("POST", merge, {}), 400, "INVALID_ARGUMENT", "version_aliases")
    answer = shared_server.call("POST", f"{MODELS}/versions:mergeVersionAliases", {"versionAliases": ["a1"]})
    refused(answer, 400, "INVALID_ARGUMENT", "@VERSION")


def test_vertex_models_delete_version(shared_server, uri):
    for number in range(3):
        send(shared_server, uri, parent("fewer") if number else {"modelId": "fewer"})
    assert "default" in refused(
        shared_server.call("DELETE", f"{MODELS}/fewer@1:deleteVersion"), 400, "FAILED_PRECONDITION"
    )
    assert shared_server.ok("DELETE", f"{MODELS}/fewer%403:deleteVersion")["done"] is True
    shared_server.ok("DELETE", f"{MODELS}/fewer@2:deleteVersion")
    only = refused(shared_server.call("DELETE", f"{MODELS}/fewer@1:deleteVersion"), 400, "FAILED_PRECONDITION")
    assert only.startswith("Deleting the only version in the Model is not allowed. Use DeleteModel")
    assert send(shared_server, uri, parent("fewer")).body["response"]["modelVersionId"] == "4"  # no number twice
    refused(shared_server.call("DELETE", f"{MODELS}/fewer:deleteVersion"), 400, "INVALID_ARGUMENT", "@VERSION")
    refused(shared_server.call("DELETE", f"{MODELS}/fewer@1"), 400, "INVALID_ARGUMENT", "deleteVersion")
    refused(shared_server.call("DELETE", f"{MODELS}/fewer@7:deleteVersion"), 404, "NOT_FOUND")


def test_vertex_models_that_are_deployed_are_not_deleted(shared_server, sklearn_dir):
    first, second = (upload(shared_server, sklearn_dir, "used") for _ in range(2))
    endpoint = create_endpoint(shared_server, "using")
    deployed = deploy(shared_server, endpoint, second)
    model = shared_server.ok("GET", f"/v1/{second}")
    assert [ref["deployedModelId"] for ref in model["deployedModels"]] == [deployed]
    assert model["deployedModels"][0]["endpoint"].endswith("/endpoints/using")
    assert "deployedModels" not in shared_server.ok("GET", f"/v1/{first}")
    for path in (f"{MODELS}/used", f"/v1/{second}:deleteVersion"):
        refused(shared_server.call("DELETE", path), 400, "FAILED_PRECONDITION", "is deployed", "/endpoints/using")
    shared_server.ok("POST", f"{endpoint}:undeployModel", {"deployedModelId": deployed})
    shared_server.ok("DELETE", f"/v1/{second}:deleteVersion")
    shared_server.ok("DELETE", f"{MODELS}/used")


WRONG = [
    ({"displayName": None}, "model.display_name"),
    ({"displayName": "x" * 129}, "model.display_name"),
    ({"labels": {"Upper": "x"}}, "labels"),
    ({"labels": {"a": "UPPER"}}, "labels"),
    ({"versionAliases": ["V1"]}, "model.version_aliases"),
    ({"versionAliases": ["v_1"]}, "model.version_aliases"),
    ({"versionAliases": ["1"]}, "model.version_aliases"),
    ({"versionAliases": ["v" * 129]}, "model.version_aliases"),
    ({"artifactUri": "https://bucket/dir"}, "model.artifact_uri"),
    ({"artifactUri": "gs://bucket/dir/model.joblib"}, "model.artifact_uri"),
    ({"artifactUri": None}, "model.artifact_uri"),
    ({"containerSpec": None}, "model.container_spec.image_uri"),
    ({"containerSpec": {"imageUri": IMAGE, "env": [{"name": "AIP_X", "value": ""}]}}, "model.container_spec.env.name"),
    ({"containerSpec": {"imageUri": IMAGE, "env": [{"name": "a-b"}]}}, "model.container_spec.env.name"),
    ({"containerSpec": {"imageUri": IMAGE, "env": [{"name": f"A{i}"} for i in range(201)]}}, "container_spec.env"),
    ({"containerSpec": {"imageUri": IMAGE, "env": [{"name": "A", "value": "x" * 131073}]}}, "container_spec.env"),
    ({"containerSpec": {"imageUri": IMAGE, "ports": [{"containerPort": 0}]}}, "model.container_spec.ports"),
    ({"containerSpec": {"imageUri": IMAGE, "predictRoute": "predict"}}, "model.container_spec.predict_route"),
    ({"containerSpec": {"imageUri": IMAGE, "deploymentTimeout": "7201s"}}, "container_spec.deployment_timeout"),
    ({"containerSpec": {"imageUri": IMAGE, "deploymentTimeout": "2h"}}, "container_spec.deployment_timeout"),
    ({"containerSpec": [1]}, "model.container_spec"),
    ({"nickname": "x"}, "Unknown name \"nickname\" at 'model'"),
]


@pytest.mark.parametrize(("fields", "where"), WRONG, ids=[where for _, where in WRONG])
def test_vertex_models_upload_refuses(shared_server, uri, fields, where):
    refused(send(shared_server, uri, {"modelId": "wrong"}, **fields), 400, "INVALID_ARGUMENT", where)
    assert shared_server.call("GET", f"{MODELS}/wrong").status == 404


@pytest.mark.parametrize("model_id", ["Iris", "1iris", "-iris", "i" * 64, "a.b"])
def test_vertex_models_upload_refuses_an_id(shared_server, uri, model_id):
    refused(send(shared_server, uri, {"modelId": model_id}), 400, "INVALID_ARGUMENT", "model_id")


def test_vertex_models_upload_refuses_files_parents_and_regions(shared_server, sklearn_dir, uri, tmp_path):
    both = tmp_path / "both"
    shutil.copytree(sklearn_dir, both)
    shutil.copy(both / "model.joblib", both / "model.pkl")
    two = shared_server.upload(both, "gs://bucket/both")
    message = refused(send(shared_server, two), 400, "FAILED_PRECONDITION")
    assert message == f"Model directory {two} is expected to contain exactly one of: [model.joblib, model.pkl]."
    refused(send(shared_server, "gs://bucket/nothing"), 400, "FAILED_PRECONDITION", "holds no files")
    refused(send(shared_server, "gs://no-such-bucket/x"), 400, "FAILED_PRECONDITION", "gs://no-such-bucket was not")
    refused(send(shared_server, uri, explanationSpec={"parameters": {}}), 400, "FAILED_PRECONDITION", "explanations")

    refused(send(shared_server, uri, parent("none")), 404, "NOT_FOUND", "models/none")
    refused(send(shared_server, uri, {"parentModel": "none"}), 400, "INVALID_ARGUMENT", "parent_model")
    elsewhere = {"parentModel": f"projects/other/locations/{REGION}/models/m"}
    refused(send(shared_server, uri, elsewhere), 400, "INVALID_ARGUMENT", "in the project and location")
    assert send(shared_server, uri, {"modelId": "taken"}).status == 200
    refused(send(shared_server, uri, {"modelId": "taken"}), 409, "ALREADY_EXISTS", "parent_model")
    refused(send(shared_server, uri, {**parent("taken"), "modelId": "other"}), 400, "INVALID_ARGUMENT", "model_id")
    refused(shared_server.call("POST", f"{MODELS}:upload", {}), 400, "INVALID_ARGUMENT", "model")
    refused(shared_server.call("GET", PARENT.replace(REGION, "mars-1") + "/models"), 400, "INVALID_ARGUMENT", "mars-1")


def test_vertex_models_upload_refuses_nesting_that_another_request_could_not_read(shared_server, uri):
    def nested(levels):
        return {"a": nested(levels - 1)} if levels > 1 else {}

    deepest = 98  # the body and its model are two further levels
    answer = send(shared_server, uri, {"modelId": "deep"}, metadata=nested(deepest + 1))
    refused(answer, 400, "INVALID_ARGUMENT", "Message too deep: at most 100 levels are allowed.")
    assert send(shared_server, uri, {"modelId": "deep"}, metadata=nested(deepest)).status == 200
    assert shared_server.ok("GET", f"{MODELS}/deep")["metadata"] == nested(deepest)
    shared_server.ok("DELETE", f"{MODELS}/deep")


def test_vertex_models_ids_are_numbers_unless_given(shared_server, uri):
    names = [send(shared_server, uri).body["response"]["model"] for _ in range(2)]
    ids = [name.rpartition("/")[2] for name in names]
    assert ids[0] != ids[1]
    assert all(len(one) == 19 and one.isdecimal() for one in ids)


def test_vertex_models_concurrent_uploads_get_different_versions(shared_server, uri):
    assert send(shared_server, uri, {"modelId": "many"}).status == 200
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(send, shared_server, uri, parent("many"), versionAliases=["newest"]) for _ in range(8)]
        new = list(pool.map(lambda _: send(shared_server, uri, {"modelId": "once"}).status, range(4)))
    versions = {one.result().body["response"]["modelVersionId"] for one in sent}
    assert versions == {str(number) for number in range(2, 10)}
    assert sorted(new) == [200, 409, 409, 409]
    held = [name for names in aliases(shared_server, "many").values() for name in names]
    assert sorted(held) == ["default", "newest"]


def test_vertex_models_are_not_models_of_ai_platform(shared_server, sklearn_dir, uri):
    send(shared_server, uri, {"modelId": "two_apis"})
    assert shared_server.call("GET", "/v1/projects/proj/models/two_apis").status == 404
    assert shared_server.deploy(sklearn_dir, "two_apis", "v1")["response"]["state"] == "READY"
    assert "defaultVersion" in shared_server.ok("GET", "/v1/projects/proj/models/two_apis")
    assert "versionId" in shared_server.ok("GET", f"{MODELS}/two_apis")
    other = MODELS.replace(REGION, "europe-west4")
    assert shared_server.call("GET", f"{other}/two_apis").status == 404  # each location has its own models
    assert shared_server.call("GET", MODELS.replace("/proj/", "/other/") + "/two_apis").status == 404
    names = [one["name"] for one in shared_server.ok("GET", "/v1/projects/proj/operations")["operations"]]
    assert not any("locations" in name for name in names)


def test_vertex_models_keep_their_files(new_server, sklearn_dir):
    server = new_server().start()
    upload(server, sklearn_dir, "kept", versionAliases=["v1"])
    upload(server, sklearn_dir, "kept")
    assert len(os.listdir(server.data_dir / "artifacts")) == 1  # the same files: one snapshot
    server.kill()
    assert disk.report(server.data_dir, prune=True)["deleted"] == []  # a snapshot that no endpoint uses is needed, too
    server.start()
    assert aliases(server, "kept") == {"1": ["v1", "default"], "2": []}
    for found in server.ok("GET", "/storage/v1/b/bucket-of-models/o")["items"]:
        server.call("DELETE", f"/storage/v1/b/bucket-of-models/o/{found['name'].replace('/', '%2F')}")
    model = server.ok("GET", f"{MODELS}/kept@v1")["name"]
    endpoint = create_endpoint(server, "kept")
    deploy(server, endpoint, model)  # of the snapshot: the objects are gone
    assert server.ok("POST", f"{endpoint}:predict", {"instances": [[3, 3]]})["predictions"] == [1]
    server.ok("DELETE", f"{MODELS}/kept@2:deleteVersion")
    assert len(os.listdir(server.data_dir / "artifacts")) == 1
    path = server.ok("GET", endpoint)
    server.ok("POST", f"{endpoint}:undeployModel", {"deployedModelId": path["deployedModels"][0]["id"]})
    server.ok("DELETE", f"{MODELS}/kept")
    wait_until(lambda: not os.listdir(server.data_dir / "artifacts"))


def test_vertex_models_upload_is_whole_or_nothing(new_server, sklearn_dir):
    """kill -9 while uploads run: each of the server's models has its files, and the next upload works."""
    server = new_server().start()
    uri = server.upload(sklearn_dir, "gs://bucket/killed")
    send(server, uri, {"modelId": "killed"})
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(send, server, uri, parent("killed")) for _ in range(12)]
        answers[2].result()
        server.kill()
        done = [one.result().body["response"]["modelVersionId"] for one in answers if not one.exception()]
    server.start()
    versions = server.ok("GET", f"{MODELS}/killed:listVersions?pageSize=100")["models"]
    assert set(done) <= {one["versionId"] for one in versions}
    assert len({one["versionId"] for one in versions}) == len(versions)
    newest = f"{MODELS.removeprefix('/v1/')}/killed@{versions[-1]['versionId']}"
    deploy(server, create_endpoint(server, "killed"), newest)
    assert end(server, send(server, uri, parent("killed")).body)["done"]
