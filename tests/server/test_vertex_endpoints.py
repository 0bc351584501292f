"""Endpoints and deployed models of Vertex AI's API by plain HTTP: the life of both, and what is refused."""

import pytest
from server_process import LABELS, ROWS, wait_until
from vertex_requests import (
    PARENT,
    RESOURCES,
    clear,
    create_endpoint,
    deploy,
    end,
    start_deploy,
    undeploy,
    upload,
)

BODY = {"instances": ROWS}


@pytest.fixture(scope="module")
def iris(shared_server, sklearn_dir):
    """A model with two versions, of which the first is the default one."""
    upload(shared_server, sklearn_dir)
    upload(shared_server, sklearn_dir)
    return f"{PARENT.removeprefix('/v1/')}/models/iris"


@pytest.fixture
def endpoint(shared_server, iris):
    yield create_endpoint(shared_server, "e")
    clear(shared_server)


@pytest.fixture(scope="module")
def broken(shared_server, tmp_path_factory):
    """A model whose file cannot be loaded."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "model.pkl").write_bytes(b"\x80\x04broken")
    return upload(shared_server, folder, "broken")


def message(answer, status=400):
    assert answer.status == status, answer
    assert answer.body["error"]["code"] == status
    return answer.body["error"]["message"]


def test_vertex_endpoint_life_cycle(shared_server, iris, endpoint):
    server = shared_server
    made = server.ok("GET", endpoint)
    number = made["name"].split("/")[1]
    assert made["name"] == f"projects/{number}/locations/us-central1/endpoints/e"
    assert number.isdecimal()
    assert made["displayName"] == "e"
    assert {"createTime", "updateTime", "etag"} < set(made)
    assert not {"deployedModels", "trafficSplit"} & set(made)

    patched = server.ok(
        "PATCH", f"{endpoint}?updateMask=display_name,labels", {"displayName": "f", "labels": {"a": "b"}}
    )
    assert (patched["displayName"], patched["labels"]) == ("f", {"a": "b"})
    assert server.ok("GET", endpoint) == patched
    assert server.call("PATCH", f"{endpoint}?updateMask=labels", {"etag": made["etag"]}).status == 409

    one = deploy(server, endpoint, iris, displayName="first", serviceAccount="a@example.com")
    two = deploy(server, endpoint, f"{iris}@2", {"0": 10, one: 90}, id="22")
    shown = server.ok("GET", endpoint)
    assert shown["trafficSplit"] == {one: 90, "22": 10}
    first, second = shown["deployedModels"]
    assert (first["id"], first["displayName"], first["modelVersionId"]) == (one, "first", "1")
    assert (second["id"], second["displayName"], second["modelVersionId"]) == (two, "iris", "2")
    assert first["model"] == second["model"] == f"projects/{number}/locations/us-central1/models/iris"
    assert first["dedicatedResources"] == RESOURCES
    assert first["serviceAccount"] == "a@example.com"

    answer = server.ok("POST", f"{endpoint}:predict", BODY)
    assert answer["predictions"] == LABELS
    assert answer["deployedModelId"] in (one, two)

    assert "gets 10 % of the traffic" in message(undeploy(server, endpoint, two))
    server.ok("PATCH", f"{endpoint}?updateMask=trafficSplit", {"trafficSplit": {one: 100}})
    done = undeploy(server, endpoint, two).body
    assert done["done"] is True
    assert done["response"] == {"@type": "type.googleapis.com/google.cloud.aiplatform.v1.UndeployModelResponse"}
    assert [model["id"] for model in server.ok("GET", endpoint)["deployedModels"]] == [one]
    assert "must be undeployed first" in message(server.call("DELETE", endpoint))
    assert undeploy(server, endpoint, one).status == 200
    assert "doesn't have traffic_split" in message(server.call("POST", f"{endpoint}:predict", BODY))
    deleted = server.ok("DELETE", endpoint)
    assert deleted["response"] == {"@type": "type.googleapis.com/google.protobuf.Empty"}
    assert message(server.call("GET", endpoint), 404).endswith("/endpoints/e` not found.")
    assert server.ok("GET", f"/v1/{deleted['name']}") == deleted


def test_vertex_endpoint_may_be_created_without_an_id(shared_server):
    done = end(shared_server, shared_server.ok("POST", f"{PARENT}/endpoints", {"displayName": "x"}))
    id_ = done["response"]["name"].rpartition("/")[2]
    assert (len(id_), id_.isdecimal()) == (19, True)
    clear(shared_server)


def test_vertex_endpoints_are_listed_by_filter_and_order(shared_server):
    for id_ in ("b", "a", "c"):
        create_endpoint(shared_server, id_, labels={"kind": "odd" if id_ == "b" else "even"})

    def listed(query):
        page = shared_server.ok("GET", f"{PARENT}/endpoints?{query}")
        return [one["name"].rpartition("/")[2] for one in page.get("endpoints", [])], page.get("nextPageToken")

    assert listed("orderBy=display_name")[0] == ["a", "b", "c"]
    assert listed("orderBy=create_time%20desc")[0] == ["c", "a", "b"]
    assert listed('filter=display_name="c"')[0] == ["c"]
    assert listed("filter=labels.kind=even&orderBy=display_name")[0] == ["a", "c"]
    assert listed("filter=endpoint=b")[0] == ["b"]
    first, token = listed("pageSize=2&orderBy=display_name")
    assert first + listed(f"pageSize=2&orderBy=display_name&pageToken={token}")[0] == ["a", "b", "c"]
    clear(shared_server)


REFUSED_ENDPOINTS = {
    "no display name": ("", {}, "display_name"),
    "long display name": ("", {"displayName": "x" * 129}, "display_name"),
    "upper case": ("?endpointId=Ab", {"displayName": "x"}, "endpoint_id"),
    "ten digits": ("?endpointId=1234567890", {"displayName": "x"}, "endpoint_id"),
    "as long as an id of the server": ("?endpointId=Bad%2FId_of_19_letters", {"displayName": "x"}, "endpoint_id"),
    "leading zero": ("?endpointId=012", {"displayName": "x"}, "endpoint_id"),
    "traffic": ("", {"displayName": "x", "trafficSplit": {"1": 100}}, "[1] do not exist"),
    "unknown field": ("", {"displayName": "x", "colour": "red"}, 'Unknown name "colour"'),
    "network": ("", {"displayName": "x", "network": "n"}, "does not support private endpoints"),
    "timeout": ("", {"displayName": "x", "clientConnectionConfig": {"inferenceTimeout": "2h"}}, "inference_timeout"),
    "long timeout": ("", {"displayName": "x", "clientConnectionConfig": {"inferenceTimeout": "3601s"}}, "3600s"),
}


@pytest.mark.parametrize("case", REFUSED_ENDPOINTS)
def test_vertex_endpoint_create_refuses(shared_server, case):
    query, body, text = REFUSED_ENDPOINTS[case]
    before = shared_server.ok("GET", f"{PARENT}/endpoints")
    assert text in message(shared_server.call("POST", f"{PARENT}/endpoints{query}", body))
    assert shared_server.ok("GET", f"{PARENT}/endpoints") == before


def test_vertex_endpoint_id_is_taken_once(shared_server, endpoint):
    assert shared_server.call("POST", f"{PARENT}/endpoints?endpointId=e", {"displayName": "x"}).status == 409


def with_resources(**fields):
    return {"dedicatedResources": {**RESOURCES, **fields}}


REFUSED_DEPLOYMENTS = {
    "no model": ({"model": ""}, None, "deployed_model.model"),
    "no such model": ({"model": "projects/proj/locations/us-central1/models/none"}, None, "404"),
    "no such version": ({"model": "projects/proj/locations/us-central1/models/iris@9"}, None, "404"),
    "no such alias": ({"model": "projects/proj/locations/us-central1/models/iris@prod"}, None, "404"),
    "short name": ({"model": "iris"}, None, "deployed_model.model"),
    "other location": ({"model": "projects/proj/locations/us-east1/models/iris"}, None, "deployed_model.model"),
    "no resources": ({"dedicatedResources": None}, None, "Resources are required"),
    "no machine": ({"dedicatedResources": {"minReplicaCount": 1}}, None, "machine_spec"),
    "machine of AI Platform": (with_resources(machineSpec={"machineType": "mls1-c1-m2"}), None, "mls1-c1-m2"),
    "accelerator": (with_resources(machineSpec={"acceleratorType": 5, "acceleratorCount": 1}), None, "accelerators"),
    "no replica": (with_resources(minReplicaCount=0), None, "min_replica_count must be at least 1, got 0"),
    "fewer than the minimum": (with_resources(minReplicaCount=3, maxReplicaCount=2), None, "max_replica_count"),
    "unknown metric": (with_resources(autoscalingMetricSpecs=[{"metricName": "cpu"}]), None, "'cpu'"),
    "automatic resources": (
        {"dedicatedResources": None, "automaticResources": {"minReplicaCount": 1}},
        None,
        "'automatic_resources' is not supported for Model",
    ),
    "id": ({"id": "12345678901"}, None, "deployed_model.id"),
    "id 0": ({"id": "0"}, None, "deployed_model.id"),
    "split of 90": ({}, {"0": 90}, "must add up to 100, got 90"),
    "split of unknown models": ({}, {"0": 50, "77": 50}, "[77] do not exist"),
    "explanations": ({"explanationSpec": {"parameters": {}}}, None, "explanations"),
    "unknown field": ({"colour": "red"}, None, "colour"),
}


@pytest.mark.parametrize("case", REFUSED_DEPLOYMENTS)
def test_vertex_deploy_refuses_and_changes_nothing(shared_server, iris, endpoint, case):
    fields, split, text = REFUSED_DEPLOYMENTS[case]
    before = shared_server.ok("GET", endpoint)
    answer = start_deploy(shared_server, endpoint, **{"model": iris, **fields}, split=split)
    if text == "404":
        assert answer.status == 404, answer
    else:
        assert text in message(answer)
    assert shared_server.ok("GET", endpoint) == before


def test_vertex_deploy_of_a_model_that_does_not_load_leaves_the_endpoint_unchanged(
    shared_server, iris, endpoint, broken
):
    one = deploy(shared_server, endpoint, iris)
    before = shared_server.ok("GET", endpoint)
    logs = {path.name for path in (shared_server.data_dir / "logs").iterdir()}
    done = end(shared_server, start_deploy(shared_server, endpoint, broken, {"0": 100, one: 0}).body)
    assert done["error"]["code"] == 9
    assert done["error"]["message"].startswith("Model server exited unexpectedly. Failed to load model: ")
    assert "response" not in done
    assert done["metadata"]["deploymentStage"] == "FAILED_TO_DEPLOY"
    assert "requested" not in done["metadata"]
    assert shared_server.ok("GET", endpoint) == before
    assert shared_server.ok("POST", f"{endpoint}:predict", BODY)["predictions"] == LABELS
    assert {path.name for path in (shared_server.data_dir / "logs").iterdir()} == logs


def test_vertex_deploy_without_a_split_gets_no_traffic(shared_server, iris, endpoint):
    one = deploy(shared_server, endpoint, iris)
    two = deploy(shared_server, endpoint, iris, {})
    assert shared_server.ok("GET", endpoint)["trafficSplit"] == {one: 100}
    for _ in range(20):
        assert shared_server.ok("POST", f"{endpoint}:predict", BODY)["deployedModelId"] == one
    shared_server.ok("PATCH", f"{endpoint}?updateMask=traffic_split", {"traffic_split": {one: 0, two: 100}})
    for _ in range(20):
        assert shared_server.ok("POST", f"{endpoint}:predict", BODY)["deployedModelId"] == two


def test_vertex_patch_of_traffic_refuses_and_changes_nothing(shared_server, iris, endpoint):
    one = deploy(shared_server, endpoint, iris)
    before = shared_server.ok("GET", endpoint)
    for split in ({one: 99}, {one: 50, "5": 50}, {"0": 100}, {one: "many"}):
        message(shared_server.call("PATCH", f"{endpoint}?updateMask=trafficSplit", {"trafficSplit": split}))
    assert "must be present" in message(shared_server.call("PATCH", endpoint, {"displayName": "y"}))
    assert shared_server.ok("GET", endpoint) == before


def test_vertex_mutate_deployed_model_rescales(shared_server, iris, endpoint):
    one = deploy(shared_server, endpoint, iris)

    def mutate(mask, **fields):
        body = {"deployedModel": {"id": one, **fields}, "updateMask": mask}
        return shared_server.call("POST", f"{endpoint}:mutateDeployedModel", body)

    mask = "dedicatedResources.minReplicaCount,dedicated_resources.max_replica_count"
    before = len(shared_server.processes())
    changed = mutate(mask, dedicatedResources={"minReplicaCount": 2, "maxReplicaCount": 2}).body
    shown = shared_server.ok("GET", endpoint)["deployedModels"][0]
    assert changed["response"]["deployedModel"] == shown
    assert shown["dedicatedResources"] == {**RESOURCES, "minReplicaCount": 2, "maxReplicaCount": 2}
    wait_until(lambda: len(shared_server.processes()) > before)
    assert mutate("disableContainerLogging", disableContainerLogging=True).status == 200
    assert shared_server.ok("GET", endpoint)["deployedModels"][0]["disableContainerLogging"] is True
    message(mutate("dedicatedResources.minReplicaCount", dedicatedResources={"minReplicaCount": 0}))
    message(mutate("displayName", displayName="x"))
    message(mutate("", displayName="x"))
    assert mutate(mask, id="5").status == 404


def test_vertex_deployed_models_are_hidden_from_ai_platform(shared_server, iris, endpoint):
    one = deploy(shared_server, endpoint, iris)
    number = shared_server.ok("GET", endpoint)["name"].split("/")[1]
    for project in ("proj", number):
        assert shared_server.ok("GET", f"/v1/projects/{project}/models") == {}
        assert shared_server.call("GET", f"/v1/projects/{project}/models/e/versions/{one}").status == 404
        assert shared_server.call("POST", f"/v1/projects/{project}/models/e:predict", BODY).status == 404
        assert shared_server.ok("GET", f"/v1/projects/{project}/operations") == {}
