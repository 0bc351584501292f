"""`gcloud ai endpoints`, unchanged, when it is installed: every command that the embedded server answers.

A command takes gcloud some seconds, so the test tells one story.
"""

import json
import os
import shutil
import subprocess

import pytest
from vertex_requests import PARENT, upload

GCLOUD = shutil.which("gcloud")
pytestmark = pytest.mark.skipif(GCLOUD is None, reason="gcloud is not installed")


@pytest.fixture
def gcloud(server, tmp_path):
    """Runs `gcloud ai …` against the server; returns what it printed, or what it said when it failed."""
    (tmp_path / "token").write_text(server.state.token)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CLOUDSDK_", "GOOGLE_")) and not name.lower().endswith("_proxy")
    }
    environment = {
        **kept,
        "CLOUDSDK_AI_REGION": "us-central1",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM": f"{server.url}/",
        "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(tmp_path / "token"),
        "CLOUDSDK_CONFIG": str(tmp_path / "config"),
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
        "CLOUDSDK_CORE_PROJECT": "proj",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
        "HOME": str(tmp_path),
    }

    def run(*words, fails=False):
        command = [str(GCLOUD), "ai", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == fails, done.stderr
        assert "crashed" not in done.stderr
        return done.stderr if fails else done.stdout

    return run


def test_vertex_gcloud_life_of_an_endpoint(gcloud, server, sklearn_dir, tmp_path):
    upload(server, sklearn_dir)
    (tmp_path / "request.json").write_text('{"instances": [[0, 0], [3, 3]]}')
    (tmp_path / "bad.json").write_text('{"instances": [[0]]}')

    def shown():
        return server.ok("GET", f"{PARENT}/endpoints/e")

    gcloud("endpoints", "create", "--display-name=e", "--endpoint-id=e", "--labels=a=b")
    assert (shown()["displayName"], shown()["labels"]) == ("e", {"a": "b"})
    request = f"--json-request={tmp_path / 'request.json'}"
    deploy = ["endpoints", "deploy-model", "e", "--model=iris", "--display-name=iris"]
    gcloud(*deploy, "--traffic-split=0=100", "--machine-type=n1-standard-2")
    gcloud(*deploy, "--deployed-model-id=22")  # without a machine type, and without traffic
    first, second = shown()["deployedModels"]
    assert json.loads(gcloud("endpoints", "describe", "e", "--format=json")) == shown()
    assert shown()["trafficSplit"] == {first["id"]: 100}
    assert second["id"] == "22"
    assert gcloud("endpoints", "predict", "e", request).split() == ["[0,", "1]"]
    raw = gcloud("endpoints", "raw-predict", "e", f"--request=@{tmp_path / 'request.json'}")
    assert json.loads(raw) == {"predictions": [0, 1]}
    failed = gcloud("endpoints", "predict", "e", f"--json-request={tmp_path / 'bad.json'}", fails=True)
    assert "Prediction failed: Exception during sklearn prediction" in failed
    assert "explanation" in gcloud("endpoints", "explain", "e", request, fails=True)

    gcloud("endpoints", "update", "e", f"--traffic-split={first['id']}=30,22=70", "--display-name=f")
    assert shown()["trafficSplit"] == {first["id"]: 30, "22": 70}
    assert "traffic" in gcloud("endpoints", "undeploy-model", "e", "--deployed-model-id=22", fails=True)
    split = f"--traffic-split={first['id']}=100"
    gcloud("endpoints", "undeploy-model", "e", "--deployed-model-id=22", split)
    assert shown()["trafficSplit"] == {first["id"]: 100}
    assert "f" in gcloud("endpoints", "list").split()
    gcloud("endpoints", "undeploy-model", "e", f"--deployed-model-id={first['id']}")
    gcloud("endpoints", "delete", "e")
    assert server.call("GET", f"{PARENT}/endpoints/e").status == 404
