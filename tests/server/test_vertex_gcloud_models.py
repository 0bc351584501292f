"""`gcloud ai models` and `gcloud ai operations`, unchanged, when gcloud is installed."""

import pytest
from gcloud_process import GCLOUD, Gcloud
from vertex_requests import IMAGE, PARENT, REGION

pytestmark = pytest.mark.skipif(GCLOUD is None, reason="gcloud is not installed")


@pytest.fixture
def gcloud(shared_server, tmp_path):
    return Gcloud(shared_server, tmp_path, "ai")


def test_vertex_gcloud_life_of_a_model(gcloud, shared_server, sklearn_dir):
    uri = shared_server.upload(sklearn_dir, "gs://bucket/gcloud")
    upload = ["models", "upload", "--display-name=Iris", f"--artifact-uri={uri}", f"--container-image-uri={IMAGE}"]
    container = ["--container-env-vars=A=b", "--container-ports=8080", "--container-predict-route=/p"]
    done = gcloud.json(*upload, "--model-id=iris", "--version-aliases=v1", "--labels=a=b", *container)
    assert (done["model"].rpartition("/")[2], done["modelVersionId"]) == ("iris", "1")
    parent = f"--parent-model=projects/proj/locations/{REGION}/models/iris"
    gcloud.out(*upload, parent, "--version-aliases=v2", "--version-description=two")
    assert gcloud.out("models", "list").split() == ["MODEL_ID", "DISPLAY_NAME", "iris", "Iris"]
    rows = [row.split() for row in gcloud.out("models", "list-version", "iris").splitlines()[1:]]
    assert [row[1:] for row in rows] == [["1", "Iris"], ["2", "Iris"]]
    shown = gcloud.json("models", "describe", "iris")
    assert (shown["versionId"], shown["versionAliases"]) == ("1", ["v1", "default"])  # gcloud sends no alias `default`
    assert shown["containerSpec"]["ports"] == [{"containerPort": 8080}]
    assert gcloud.json("models", "describe", "iris@v2")["versionDescription"] == "two"
    operation = shared_server.ok("GET", f"{PARENT}/operations")["operations"][0]
    number = operation["name"].rpartition("/")[2]
    assert gcloud.json("operations", "describe", number) == operation
    gcloud.out("models", "delete-version", "iris@2")
    assert "only version" in gcloud.fails("models", "delete-version", "iris@1")
    assert "version_aliases" in gcloud.fails(*upload, "--version-aliases=v_1")
    gcloud.out("models", "delete", "iris")
    assert "NOT_FOUND" in gcloud.fails("models", "describe", "iris")
