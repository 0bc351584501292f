"""google-api-python-client, unchanged, through the life of an endpoint of Vertex AI's API."""

import pytest
from google.oauth2.credentials import Credentials
from googleapiclient import discovery
from googleapiclient.errors import HttpError
from server_process import LABELS, ROWS, wait_until
from vertex_requests import RESOURCES, upload

PARENT = "projects/proj/locations/us-central1"


@pytest.fixture
def locations(server):
    service = discovery.build(
        "aiplatform",
        "v1",
        client_options={"api_endpoint": server.url},
        credentials=Credentials(server.state.token),
        static_discovery=True,
    )
    with service:
        yield service.projects().locations()


def test_vertex_discovery_client_life_of_an_endpoint(locations, server, sklearn_dir):
    model = upload(server, sklearn_dir)
    endpoints = locations.endpoints()

    def end(request):
        operation = request.execute()

        def done():
            operation.update(endpoints.operations().get(name=operation["name"]).execute())
            return operation.get("done")

        wait_until(done)
        return operation

    created = end(endpoints.create(parent=PARENT, endpointId="e", body={"displayName": "e", "labels": {"a": "b"}}))
    name = created["response"]["name"]
    assert endpoints.list(parent=PARENT, filter="labels.a=b").execute()["endpoints"][0]["name"] == name
    body = {"deployedModel": {"model": model, "dedicatedResources": RESOURCES}, "trafficSplit": {"0": 100}}
    deployed = end(endpoints.deployModel(endpoint=name, body=body))
    assert deployed["metadata"]["@type"].endswith("v1.DeployModelOperationMetadata")
    assert deployed["metadata"]["deploymentStage"] == "SUCCESSFULLY_DEPLOYED"
    id_ = deployed["response"]["deployedModel"]["id"]
    answer = endpoints.predict(endpoint=name, body={"instances": ROWS}).execute()
    assert (answer["predictions"], answer["deployedModelId"]) == (LABELS, id_)
    with pytest.raises(HttpError) as caught:
        endpoints.predict(endpoint=name, body={"instances": [[1]]}).execute()
    assert (caught.value.status_code, "Exception during sklearn prediction" in caught.value.reason) == (400, True)
    with pytest.raises(HttpError) as caught:
        endpoints.explain(endpoint=name, body={"instances": ROWS}).execute()
    assert caught.value.status_code == 501

    changed = {"id": id_, "dedicatedResources": {"maxReplicaCount": 2}}
    body = {"deployedModel": changed, "updateMask": "dedicatedResources.maxReplicaCount"}
    mutated = end(endpoints.mutateDeployedModel(endpoint=name, body=body))
    assert mutated["response"]["deployedModel"]["dedicatedResources"]["maxReplicaCount"] == 2
    patched = endpoints.patch(name=name, updateMask="description", body={"description": "d"}).execute()
    assert (patched["description"], patched["trafficSplit"]) == ("d", {id_: 100})
    end(endpoints.undeployModel(endpoint=name, body={"deployedModelId": id_}))
    assert "trafficSplit" not in endpoints.get(name=name).execute()
    operations = endpoints.operations().list(name=name).execute()["operations"]
    kinds = [one["metadata"]["@type"].rpartition(".")[2].removesuffix("OperationMetadata") for one in operations]
    assert kinds == ["UndeployModel", "MutateDeployedModel", "DeployModel", "CreateEndpoint"]
    assert end(endpoints.delete(name=name))["response"]["@type"].endswith("protobuf.Empty")
