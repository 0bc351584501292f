"""google-cloud-aiplatform, unchanged, through the life of a model: upload, versions, aliases, list, update, delete.

Needs the extra `vertex-test`; run by `-m vertex`.
"""

import os
import subprocess
import sys

import pytest
from google.oauth2.credentials import Credentials
from vertex_requests import IMAGE, PARENT

aiplatform = pytest.importorskip("google.cloud.aiplatform")
exceptions = pytest.importorskip("google.api_core.exceptions")

pytestmark = pytest.mark.vertex
NAME = "projects/proj/locations/us-central1/models"


@pytest.fixture
def sdk(shared_server):
    """The SDK, set up for this server."""
    credentials = Credentials(shared_server.state.token)
    where = {"project": "proj", "location": "us-central1", "credentials": credentials}
    aiplatform.init(api_endpoint=shared_server.url, api_transport="rest", **where)
    yield aiplatform
    for model in aiplatform.Model.list():
        model.delete()


@pytest.fixture(scope="module")
def artifact_uri(shared_server, sklearn_dir):
    return shared_server.upload(sklearn_dir, "gs://bucket/sdk-models")


def upload(sdk, uri, **fields):
    given = {"display_name": "iris", "artifact_uri": uri, "serving_container_image_uri": IMAGE, **fields}
    return sdk.Model.upload(**given)


def test_vertex_sdk_life_of_a_model(sdk, shared_server, artifact_uri):
    model = upload(
        sdk,
        artifact_uri,
        model_id="iris",
        description="d",
        labels={"team": "a"},
        version_aliases=["v1"],
        version_description="first",
        serving_container_environment_variables={"A": "b"},
        serving_container_ports=[8080],
        serving_container_predict_route="/predict",
        serving_container_health_route="/health",
        serving_container_command=["python"],
        serving_container_args=["-m", "server"],
        serving_container_deployment_timeout=1800,
    )
    assert (model.version_id, list(model.version_aliases)) == ("1", ["v1", "default"])  # `default` is the SDK's
    assert (model.display_name, model.description, model.version_description) == ("iris", "d", "first")
    assert (model.uri, model.labels) == (artifact_uri, {"team": "a"})
    spec = model.container_spec
    assert (spec.image_uri, spec.predict_route, [port.container_port for port in spec.ports]) == (
        IMAGE,
        "/predict",
        [8080],
    )
    assert model.resource_name.endswith("/models/iris")
    assert model.supported_deployment_resources_types

    assert [one.name for one in sdk.Model.list(filter='display_name="iris"', order_by="create_time desc")] == ["iris"]
    assert [one.name for one in sdk.Model.list(filter="labels.team=a")] == ["iris"]
    assert sdk.Model.list(filter='display_name="other"') == []
    model.update(display_name="new", description="changed", labels={"x": "y"})
    again = sdk.Model("iris")
    assert (again.display_name, again.description, again.labels) == ("new", "changed", {"x": "y"})
    assert again.update_time > again.create_time
    again.delete()
    with pytest.raises(exceptions.NotFound, match="does not exist"):
        sdk.Model("iris")
    assert shared_server.ok("GET", f"{PARENT}/models") == {}


def test_vertex_sdk_versions_and_aliases(sdk, artifact_uri):
    first = upload(sdk, artifact_uri, model_id="many")
    second = upload(sdk, artifact_uri, parent_model="many", is_default_version=False, version_aliases=["v2"])
    assert (second.version_id, list(second.version_aliases)) == ("2", ["v2"])
    registry = first.versioning_registry
    assert [(one.version_id, list(one.version_aliases)) for one in registry.list_versions()] == [
        ("1", ["default"]),
        ("2", ["v2"]),
    ]
    assert sdk.Model("many@v2").version_id == sdk.Model(f"{NAME}/many@2").version_id == "2"
    assert sdk.Model("many").version_id == "1"
    registry.add_version_aliases(["default", "prod"], "v2")
    registry.remove_version_aliases(["v2"], "2")
    assert sorted(registry.get_version_info("prod").version_aliases) == ["default", "prod"]
    assert sdk.Model("many").version_id == "2"
    registry.update_version("1", version_description="old", labels={"of": "one"})
    assert registry.get_version_info("1").version_description == "old"
    assert sdk.Model("many", version="1").labels == {"of": "one"}
    third = upload(sdk, artifact_uri, parent_model=first.resource_name)
    assert list(third.version_aliases) == ["default"]  # it moves to each upload that is not told otherwise
    registry.delete_version("1")
    registry.delete_version("prod")
    with pytest.raises(exceptions.BadRequest, match="only version"):
        registry.delete_version("3")
    with pytest.raises(exceptions.NotFound):
        sdk.Model("many@1")


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"labels": {"Upper": "x"}}, "BadRequest", "labels"),
        ({"version_aliases": ["no_underscores"]}, "BadRequest", "version_aliases"),
        ({"artifact_uri": "gs://bucket/none"}, "BadRequest", "holds no files"),
        ({"serving_container_image_uri": IMAGE.replace("1-6", "1-0")}, "BadRequest", "2024-11-15"),
        ({"serving_container_image_uri": "python:3.10"}, "BadRequest", "runs no containers"),
        ({"parent_model": "none"}, "NotFound", "models/none"),
        ({"serving_container_environment_variables": {"AIP_X": "1"}}, "BadRequest", "AIP_"),
    ],
)
def test_vertex_sdk_upload_refused(sdk, artifact_uri, fields, error, text):
    with pytest.raises(getattr(exceptions, error), match=text):
        upload(sdk, artifact_uri, **fields)
    assert sdk.Model.list() == []


def test_vertex_sdk_uploads_a_local_directory(shared_server, sklearn_dir):
    """The SDK copies it to Cloud Storage itself, here in a process of its own with the address in its environment."""
    code = f"""
from google.cloud import aiplatform
from google.oauth2.credentials import Credentials

aiplatform.init(project="proj", location="us-central1", api_endpoint={shared_server.url!r}, api_transport="rest",
    credentials=Credentials({shared_server.state.token!r}), staging_bucket="gs://bucket")
model = aiplatform.Model.upload(display_name="local", model_id="local", artifact_uri={str(sklearn_dir)!r},
    serving_container_image_uri={IMAGE!r})
print("uploaded to", model.uri)
model.delete()
"""
    shared_server.call("POST", "/storage/v1/b?project=proj", {"name": "bucket"})
    environment = {**os.environ, "STORAGE_EMULATOR_HOST": shared_server.url}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "uploaded to gs://bucket/vertex_ai_auto_staging/" in done.stdout
