"""google-api-python-client, unchanged, through a whole life cycle."""

import pytest
from google.oauth2.credentials import Credentials
from googleapiclient import discovery
from googleapiclient.errors import HttpError
from server_process import wait_until

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


def test_life_cycle(ml, server, sklearn_dir):
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
    assert kinds == ["CREATE_VERSION", "DELETE_VERSION", "DELETE_MODEL"]
    assert ml.projects().operations().cancel(name=operation["name"]).execute() == {}
