"""google-api-python-client with its own document of Vertex AI's API, unchanged, through the life of a model."""

import pytest
from google.oauth2.credentials import Credentials
from googleapiclient import discovery
from googleapiclient.errors import HttpError
from vertex_requests import IMAGE, REGION

PARENT = f"projects/proj/locations/{REGION}"


@pytest.fixture
def locations(shared_server):
    service = discovery.build(
        "aiplatform",
        "v1",
        client_options={"api_endpoint": shared_server.url},
        credentials=Credentials(shared_server.state.token),
        static_discovery=True,
    )
    with service:
        yield service.projects().locations()


def test_vertex_discovery_life_of_a_model(locations, shared_server, sklearn_dir):
    models, operations = locations.models(), locations.operations()
    uri = shared_server.upload(sklearn_dir, "gs://bucket/discovery")
    model = {"displayName": "d", "artifactUri": uri, "containerSpec": {"imageUri": IMAGE}, "labels": {"a": "b"}}
    operation = models.upload(parent=PARENT, body={"modelId": "d", "model": model}).execute()
    assert models.operations().get(name=operation["name"]).execute() == operation
    assert models.operations().wait(name=operation["name"], timeout="1s").execute() == operation
    flat = f"{PARENT}/operations/{operation['name'].rpartition('/')[2]}"
    assert operations.get(name=flat).execute() == operation
    assert operation in operations.list(name=PARENT).execute()["operations"]

    name = operation["response"]["model"]
    again = {"parentModel": f"{PARENT}/models/d", "model": {**model, "versionAliases": ["two"]}}
    models.upload(parent=PARENT, body=again).execute()
    assert models.get(name=f"{name}@two").execute()["versionId"] == "2"
    request, seen = models.listVersions(name=name, pageSize=1), []
    while request is not None:
        page = request.execute()
        seen += [one["versionId"] for one in page["models"]]
        request = models.listVersions_next(request, page)
    assert seen == ["1", "2"]
    [listed] = models.list(parent=PARENT, filter='labels.a="b"', orderBy="display_name").execute()["models"]
    assert listed == models.get(name=name).execute()
    patched = models.patch(name=name, updateMask="displayName", body={**listed, "displayName": "new"}).execute()
    assert patched["displayName"] == "new"
    with pytest.raises(HttpError) as caught:
        models.patch(name=name, updateMask="displayName", body=listed).execute()
    assert caught.value.status_code == 409  # what was read before the first patch
    merged = models.mergeVersionAliases(name=f"{name}@2", body={"versionAliases": ["default", "-two"]}).execute()
    assert merged["versionAliases"] == ["default"]
    models.deleteVersion(name=f"{name}@1").execute()
    with pytest.raises(HttpError) as caught:
        models.deleteVersion(name=f"{name}@2").execute()
    assert caught.value.status_code == 400
    with pytest.raises(HttpError) as caught:
        models.export(name=name, body={}).execute()
    assert caught.value.status_code == 501
    assert models.delete(name=name).execute()["done"] is True
    assert operations.delete(name=flat).execute() == {}
    assert models.list(parent=PARENT).execute() == {}
    assert locations.get(name=PARENT).execute()["locationId"] == REGION
