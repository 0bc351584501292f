"""google-api-python-client, unchanged, through a whole life cycle."""

import pytest
from google.oauth2.credentials import Credentials
from googleapiclient import discovery
from googleapiclient.errors import HttpError
from server_process import wait_until

from aip_magics.client import Client, Transport
from aip_magics.render.text import describe

PARENT = "projects/proj"


@pytest.fixture
def ml(server):
    service = discovery.build(
        "ml",
        "v1",
        client_options={"api_endpoint": server.url},
        credentials=Credentials(server.state.token),
        static_discovery=True,
    )
    with service:
        yield service


def test_discovery_client_life_cycle(ml, server, sklearn_dir):
    models = ml.projects().models()
    versions = models.versions()
    assert models.list(parent=PARENT).execute() == {}
    model = models.create(parent=PARENT, body={"name": "iris", "regions": ["us-central1"]}).execute()["name"]
    uri = server.upload(sklearn_dir, "gs://bucket/iris")
    body = {"name": "v1", "deploymentUri": uri, "framework": "SCIKIT_LEARN", "runtimeVersion": "2.11"}
    operation = versions.create(parent=model, body={**body, "pythonVersion": "3.7"}).execute()

    def done():
        operation.update(ml.projects().operations().get(name=operation["name"]).execute())
        return operation.get("done")

    wait_until(done)
    version = operation["response"]["name"]
    assert versions.get(name=version).execute()["state"] == "READY"
    answer = ml.projects().predict(name=model, body={"instances": [[0, 0], [3, 3]]}).execute()
    assert answer == {"predictions": [0, 1]}

    with pytest.raises(HttpError) as caught:
        models.create(parent=PARENT, body={"name": "iris"}).execute()
    assert caught.value.status_code == 409
    assert caught.value.reason == "Field: model.name Error: A model with the same name already exists."
    assert caught.value.error_details[0]["fieldViolations"][0]["field"] == "model.name"
    with pytest.raises(HttpError) as caught:
        ml.projects().predict(name=version, body={"instances": [[1]]}).execute()
    assert caught.value.status_code == 400
    assert b'{"error":"Prediction failed: Exception during sklearn prediction' in caught.value.content

    request, seen = models.list(parent=PARENT, pageSize=1), []
    models.create(parent=PARENT, body={"name": "other"}).execute()
    while request is not None:
        page = request.execute()
        seen += [item["name"] for item in page["models"]]
        request = models.list_next(request, page)
    assert seen == [f"{PARENT}/models/iris", f"{PARENT}/models/other"]

    assert versions.setDefault(name=version, body={}).execute()["isDefault"] is True
    assert versions.delete(name=version).execute()["done"] is True
    assert models.delete(name=model).execute()["response"]["@type"].endswith("protobuf.Empty")
    operations = ml.projects().operations().list(name=PARENT).execute()["operations"]
    kinds = [item["metadata"]["operationType"] for item in operations]
    assert kinds == ["DELETE_MODEL", "DELETE_VERSION", "CREATE_VERSION"]
    assert ml.projects().operations().cancel(name=operation["name"]).execute() == {}


def test_discovery_client_calls_every_method_of_the_prediction_side(ml, server, sklearn_dir):
    projects = ml.projects()
    models, jobs, locations = projects.models(), projects.jobs(), projects.locations()
    model = models.create(parent=PARENT, body={"name": "every", "labels": {"a": "b"}}).execute()
    name = model["name"]
    server.deploy(sklearn_dir, "every", "v1")
    server.deploy(sklearn_dir, "every", "v2")
    version = f"{name}/versions/v2"

    patched = models.patch(name=name, updateMask="description", body={"description": "d"}).execute()
    assert patched["response"]["description"] == "d"
    default = {"defaultVersion": {"name": version}}
    models.patch(name=name, updateMask="default_version.name", body=default).execute()
    assert models.get(name=name).execute()["defaultVersion"]["name"] == version
    etag = models.versions().get(name=version).execute()["etag"]
    body = {"description": "v", "etag": etag}
    assert models.versions().patch(name=version, updateMask="description", body=body).execute()["done"] is True
    with pytest.raises(HttpError) as caught:
        models.versions().patch(name=version, updateMask="description", body=body).execute()
    assert caught.value.status_code == 409

    policy = models.getIamPolicy(resource=name, options_requestedPolicyVersion=3).execute()
    policy["bindings"] = [{"role": "roles/ml.viewer", "members": ["allUsers"]}]
    policy = models.setIamPolicy(resource=name, body={"policy": policy, "updateMask": "bindings,etag"}).execute()
    assert models.getIamPolicy(resource=name).execute() == policy
    asked = {"permissions": ["ml.models.get"]}
    assert models.testIamPermissions(resource=name, body=asked).execute() == asked
    assert models.testIamPermissions(resource=f"{PARENT}/models/none", body=asked).execute() == {}

    assert "cloud-ml" in projects.getConfig(name=PARENT).execute()["serviceAccount"]
    request, regions = locations.list(parent=PARENT, pageSize=4), []
    while request is not None:
        page = request.execute()
        regions += page["locations"]
        request = locations.list_next(request, page)
    assert locations.get(name=f"{PARENT}/locations/us-east1").execute() in regions
    operation = (
        projects.operations().list(name=PARENT, filter="metadata.operationType=UPDATE_MODEL", pageSize=1).execute()
    )
    assert len(operation["operations"]) == 1
    assert operation["nextPageToken"]
    for method in (locations.operations().get, locations.operations().cancel):
        with pytest.raises(HttpError) as caught:
            method(name=f"{PARENT}/locations/us-east1/operations/none").execute()
        assert caught.value.status_code == 404

    assert jobs.list(parent=PARENT).execute() == {}
    assert jobs.testIamPermissions(resource=f"{PARENT}/jobs/j", body=asked).execute() == {}
    job = {"jobId": "j", "predictionInput": {"modelName": name}}
    calls = [
        (jobs.create(parent=PARENT, body=job), 400),
        (jobs.get(name=f"{PARENT}/jobs/j"), 404),
        (jobs.cancel(name=f"{PARENT}/jobs/j", body={}), 404),
        (jobs.patch(name=f"{PARENT}/jobs/j", updateMask="labels", body={}), 404),
        (jobs.getIamPolicy(resource=f"{PARENT}/jobs/j"), 404),
        (jobs.setIamPolicy(resource=f"{PARENT}/jobs/j", body={}), 404),
        (projects.explain(name=name, body={"instances": []}), 400),
        (projects.explain(name=version, body={"instances": []}), 400),
    ]
    for call, status in calls:
        with pytest.raises(HttpError) as caught:
            call.execute()
        assert caught.value.status_code == status, call.uri
        assert caught.value.reason.startswith("Field: ")


def test_client_shows_an_operation_as_gcloud_does(server, sklearn_dir):
    """All of it, also what the API leaves open: `@type` and our `progress`."""
    reply = server.deploy(sklearn_dir)
    client = Client(
        Transport(server.url, server.http, headers={"Authorization": f"Bearer {server.state.token}"}), "proj"
    )
    assert client.get_operation(reply["name"]).to_json() == reply
    text = describe(client.get_operation(reply["name"]))
    assert "  '@type': type.googleapis.com/google.cloud.ml.v1.OperationMetadata\n" in text
    assert "  progress:\n    stage: ready\n" in text
