"""Container images: those that the server serves without a container, and why it refuses the others."""

import os

import pytest
from custom_models import ROUTINE, routine_dir, sdist
from vertex_requests import IMAGE, PARENT, create_endpoint, deploy, end, undeploy

IMAGES = "/aip-magics/images"
OURS = "us-central1-docker.pkg.dev/proj/repo/ours:1"


def upload(server, uri, image):
    model = {"displayName": "m", **({"artifactUri": uri} if uri else {}), "containerSpec": {"imageUri": image}}
    return server.call("POST", f"{PARENT}/models:upload", {"model": model})


def message(answer, status="FAILED_PRECONDITION"):
    assert (answer.status, answer.body["error"]["status"]) == (400, status), answer
    return answer.body["error"]["message"]


@pytest.fixture(scope="module")
def uri(shared_server, sklearn_dir):
    return shared_server.upload(sklearn_dir, "gs://bucket/images")


def test_vertex_images_prebuilt(shared_server, uri):
    hosts = ("us", "europe", "asia")
    for host in hosts:
        assert upload(shared_server, uri, IMAGE.replace("us-docker", f"{host}-docker")).status == 200
    gone = "us-docker.pkg.dev/vertex-ai/prediction/sklearn-cpu.1-0:latest"
    assert "its availability ended 2024-11-15" in message(upload(shared_server, uri, gone))
    torch = "us-docker.pkg.dev/vertex-ai/prediction/pytorch-cpu.2-4:latest"
    assert "PYTORCH" in message(upload(shared_server, uri, torch))
    boosted = "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"
    assert "[saved_model.pb, saved_model.pbtxt]" in message(upload(shared_server, uri, boosted))


@pytest.mark.parametrize("image", [OURS, "python:3.10", IMAGE.replace("latest", "1"), IMAGE.replace("1-6", "1-7")])
def test_vertex_images_of_others_are_refused(shared_server, uri, image):
    text = message(upload(shared_server, uri, image))
    assert text.startswith(f"The embedded server runs no containers: image {image} is neither a prebuilt image nor")


def test_vertex_images_pushed_serve_a_framework(shared_server, uri):
    image = {"imageUri": f"{OURS}-framework", "framework": "SCIKIT_LEARN", "predictRoute": "/p", "healthRoute": "/h"}
    assert shared_server.ok("PUT", IMAGES, image) == image
    assert image in shared_server.ok("GET", IMAGES)["images"]
    refused = message(upload(shared_server, None, image["imageUri"]), "INVALID_ARGUMENT")
    assert "model.artifact_uri" in refused  # the server has no other files, and could deploy nothing
    operation = upload(shared_server, uri, image["imageUri"])
    endpoint = create_endpoint(shared_server, "framework")
    deploy(shared_server, endpoint, operation.body["response"]["model"])
    answer = shared_server.ok("POST", f"{endpoint}:predict", {"instances": [[0, 0], [3, 3]]})
    assert answer["predictions"] == [0, 1]


def test_vertex_images_pushed_serve_custom_code(new_server, tmp_path):
    """A custom prediction routine behind an image, which reads `parameters`; it outlives its objects and the server."""
    server = new_server().start()
    package = sdist(tmp_path / "package", "my_routine", my_routine=ROUTINE)
    packages = server.upload(package.parent, "gs://bucket/code", trusted=True)
    artifacts = server.upload(routine_dir(tmp_path / "model"), "gs://bucket/model", trusted=True)
    archive = f"{packages}/{package.name}"
    body = {"imageUri": OURS, "predictionClass": "my_routine.Routine", "packageUris": [archive]}
    server.ok("PUT", IMAGES, body)
    model = end(server, upload(server, artifacts, OURS).body)["response"]["model"]
    assert len(os.listdir(server.data_dir / "artifacts")) == 2  # of the model and of its packages
    server.ok("PUT", IMAGES, {**body, "packageUris": [f"{packages}/gone-1.tar.gz"]})  # later pushes change no version
    assert "was not found" in message(upload(server, artifacts, OURS))
    server.call("DELETE", f"/storage/v1/b/bucket/o/code%2F{package.name}")
    server.kill()
    server.start()
    endpoint = create_endpoint(server, "custom")
    deployed = deploy(server, endpoint, model)
    answer = server.ok("POST", f"{endpoint}:predict", {"instances": [1, 2], "parameters": {"factor": 10}})
    assert answer["predictions"] == [110, 120]
    assert server.ok("GET", IMAGES)["images"][0]["packageUris"] == [f"{packages}/gone-1.tar.gz"]
    assert undeploy(server, endpoint, deployed).status == 200
    installed = server.data_dir / "packages"
    assert len(list(installed.glob("[!.]*/"))) == 1  # for the next deployment
    server.ok("DELETE", f"/v1/{model}")
    assert list(installed.glob("[!.]*/")) == os.listdir(server.data_dir / "artifacts") == []


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, "image_uri"),
        ({"imageUri": "a b"}, "image_uri"),
        ({"imageUri": IMAGE}, "prebuilt"),
        ({"imageUri": OURS, "framework": "PYTORCH"}, "framework"),
        ({"imageUri": OURS, "port": 8080}, 'Unknown name "port"'),
        ({"imageUri": OURS, "packageUris": ["/tmp/a.tar.gz"]}, "package"),
        ({"imageUri": OURS, "predictionClass": "Routine", "packageUris": ["gs://b/a-1.tar.gz"]}, "module_name"),
    ],
)
def test_vertex_images_pushed_wrongly(shared_server, body, where):
    before = shared_server.ok("GET", IMAGES)
    assert where in message(shared_server.call("PUT", IMAGES, body), "INVALID_ARGUMENT")
    assert shared_server.ok("GET", IMAGES) == before
