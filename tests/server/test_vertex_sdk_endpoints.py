"""google-cloud-aiplatform, unchanged, through the life of an endpoint.

Needs the extra `vertex-test`; run by `-m vertex`.
"""

import collections

import pytest
import requests
from google.auth.transport.requests import AuthorizedSession
from google.oauth2.credentials import Credentials
from server_process import LABELS, ROWS
from vertex_requests import IMAGE, PARENT

aiplatform = pytest.importorskip("google.cloud.aiplatform")
exceptions = pytest.importorskip("google.api_core.exceptions")

pytestmark = pytest.mark.vertex


class Loopback(requests.adapters.HTTPAdapter):
    """Sends what the SDK sends to Google's host, whatever endpoint it was given, to the embedded server instead."""

    def __init__(self, url):
        super().__init__()
        self.url = url

    def send(self, request, **options):
        request.url = self.url + request.url.partition("googleapis.com")[2]
        options["proxies"] = {}
        return super().send(request, **options)


@pytest.fixture
def sdk(shared_server):
    """The SDK, set up for this server; in a new process it may be set up otherwise."""
    aiplatform.init(
        project="proj",
        location="us-central1",
        api_endpoint=shared_server.url,
        api_transport="rest",
        credentials=Credentials(shared_server.state.token),
    )
    yield aiplatform
    for endpoint in aiplatform.Endpoint.list():
        endpoint.delete(force=True)


@pytest.fixture(scope="module")
def artifact_uri(shared_server, sklearn_dir):
    return shared_server.upload(sklearn_dir, "gs://bucket-of-models/sdk")


def upload(sdk, artifact_uri, **fields):
    return sdk.Model.upload(display_name="iris", artifact_uri=artifact_uri, serving_container_image_uri=IMAGE, **fields)


def test_vertex_sdk_life_of_an_endpoint(sdk, shared_server, artifact_uri):
    model = upload(sdk, artifact_uri, model_id="sdk-iris")
    endpoint = sdk.Endpoint.create(display_name="e", endpoint_id="sdk-e", labels={"a": "b"})
    assert endpoint.name == "sdk-e"
    model.deploy(endpoint=endpoint, machine_type="n1-standard-2", min_replica_count=1, max_replica_count=2)
    answer = endpoint.predict(instances=ROWS)
    assert answer.predictions == LABELS
    (first,) = endpoint.list_models()
    assert (answer.deployed_model_id, answer.model_version_id) == (first.id, "1")
    assert answer.model_resource_name == model.resource_name
    assert first.dedicated_resources.max_replica_count == 2
    assert sdk.Endpoint.list(filter='display_name="e"')[0].resource_name == endpoint.resource_name
    assert sdk.Endpoint("sdk-e").labels == {"a": "b"}

    second_version = upload(sdk, artifact_uri, parent_model=model.resource_name, is_default_version=False)
    endpoint.deploy(second_version, traffic_percentage=10)  # without a machine type, which is then the default one
    second = next(one for one in endpoint.list_models() if one.id != first.id)
    assert second.model_version_id == "2"
    assert second.dedicated_resources.machine_spec.machine_type == "n1-standard-2"
    assert endpoint.traffic_split == {first.id: 90, second.id: 10}
    assert endpoint.update(traffic_split={first.id: 0, second.id: 100}).traffic_split == {first.id: 0, second.id: 100}
    assert endpoint.predict(instances=ROWS).deployed_model_id == second.id
    endpoint.update(traffic_split={first.id: 50, second.id: 50}, display_name="f", description="d")
    assert (endpoint.display_name, endpoint.gca_resource.description) == ("f", "d")
    seen = collections.Counter(endpoint.predict(instances=ROWS).deployed_model_id for _ in range(40))
    assert set(seen) == {first.id, second.id}

    endpoint.undeploy(second.id)  # the SDK gives the traffic back to the first
    assert endpoint.traffic_split == {first.id: 100}
    with pytest.raises(exceptions.BadRequest, match="must be undeployed first"):
        endpoint.delete()
    endpoint.delete(force=True)
    assert shared_server.call("GET", f"{PARENT}/endpoints/sdk-e").status == 404
    model.delete()


def test_vertex_sdk_raw_predict(sdk, shared_server, artifact_uri):
    model = upload(sdk, artifact_uri)
    endpoint = model.deploy(machine_type="n1-standard-2")  # creates the endpoint
    assert endpoint.display_name == "iris_endpoint"
    session = AuthorizedSession(Credentials(shared_server.state.token))
    session.mount("https://us-central1-aiplatform.googleapis.com", Loopback(shared_server.url))
    endpoint.authorized_session = session
    answer = endpoint.raw_predict(b'{"instances": [[0, 0], [3, 3]]}', {"Content-Type": "application/json"})
    assert answer.json() == {"predictions": [0, 1]}
    assert answer.headers["X-Vertex-AI-Deployed-Model-Id"] == endpoint.list_models()[0].id


def test_vertex_sdk_reports_errors(sdk, shared_server, artifact_uri, tmp_path):
    endpoint = sdk.Endpoint.create(display_name="e")
    with pytest.raises(exceptions.BadRequest, match="doesn't have traffic_split"):
        endpoint.predict(instances=ROWS)
    model = upload(sdk, artifact_uri)
    with pytest.raises(exceptions.BadRequest, match="mls1-c1-m2"):
        model.deploy(endpoint=endpoint, machine_type="mls1-c1-m2")
    with pytest.raises(exceptions.BadRequest, match="does not support accelerators"):
        model.deploy(
            endpoint=endpoint, machine_type="n1-standard-4", accelerator_type="NVIDIA_TESLA_T4", accelerator_count=1
        )
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "model.pkl").write_bytes(b"\x80\x04broken")
    uri = shared_server.upload(broken, "gs://bucket-of-models/sdk-broken")
    with pytest.raises(exceptions.FailedPrecondition, match="Model server exited unexpectedly"):
        upload(sdk, uri).deploy(endpoint=endpoint, machine_type="n1-standard-2")
    assert endpoint.list_models() == []
    model.deploy(endpoint=endpoint, machine_type="n1-standard-2")
    with pytest.raises(exceptions.BadRequest, match="Prediction failed: Exception during sklearn prediction"):
        endpoint.predict(instances=[[1.0]])
    with pytest.raises(exceptions.BadRequest, match="unexpected keyword argument 'parameters'"):
        endpoint.predict(instances=ROWS, parameters={"a": 1})
    with pytest.raises(exceptions.BadRequest, match="must add up to 100, got 90"):
        endpoint.update(traffic_split={endpoint.list_models()[0].id: 90})
