"""`gcloud ai endpoints`, unchanged, when it is installed: every command that the embedded server answers.

A command takes gcloud some seconds, so the test tells one story.
"""

import json

import pytest
from gcloud_process import GCLOUD, Gcloud
from vertex_requests import PARENT, upload

pytestmark = pytest.mark.skipif(GCLOUD is None, reason="gcloud is not installed")


def test_vertex_gcloud_life_of_an_endpoint(server, sklearn_dir, tmp_path):
    gcloud = Gcloud(server, tmp_path, "ai")
    run, fails = gcloud.out, gcloud.fails
    upload(server, sklearn_dir)
    (tmp_path / "request.json").write_text('{"instances": [[0, 0], [3, 3]]}')
    (tmp_path / "bad.json").write_text('{"instances": [[0]]}')

    def shown():
        return server.ok("GET", f"{PARENT}/endpoints/e")

    run("endpoints", "create", "--display-name=e", "--endpoint-id=e", "--labels=a=b")
    assert (shown()["displayName"], shown()["labels"]) == ("e", {"a": "b"})
    request = f"--json-request={tmp_path / 'request.json'}"
    deploy = ["endpoints", "deploy-model", "e", "--model=iris", "--display-name=iris"]
    run(*deploy, "--traffic-split=0=100", "--machine-type=n1-standard-2")
    run(*deploy, "--deployed-model-id=22")  # without a machine type, and without traffic
    first, second = shown()["deployedModels"]
    assert gcloud.json("endpoints", "describe", "e") == shown()
    assert shown()["trafficSplit"] == {first["id"]: 100}
    assert second["id"] == "22"
    assert run("endpoints", "predict", "e", request).split() == ["[0,", "1]"]
    raw = run("endpoints", "raw-predict", "e", f"--request=@{tmp_path / 'request.json'}")
    assert json.loads(raw) == {"predictions": [0, 1]}
    failed = fails("endpoints", "predict", "e", f"--json-request={tmp_path / 'bad.json'}")
    assert "Prediction failed: Exception during sklearn prediction" in failed
    assert "explanation" in fails("endpoints", "explain", "e", request)

    run("endpoints", "update", "e", f"--traffic-split={first['id']}=30,22=70", "--display-name=f")
    assert shown()["trafficSplit"] == {first["id"]: 30, "22": 70}
    assert "traffic" in fails("endpoints", "undeploy-model", "e", "--deployed-model-id=22")
    split = f"--traffic-split={first['id']}=100"
    run("endpoints", "undeploy-model", "e", "--deployed-model-id=22", split)
    assert shown()["trafficSplit"] == {first["id"]: 100}
    assert "f" in run("endpoints", "list").split()
    run("endpoints", "undeploy-model", "e", f"--deployed-model-id={first['id']}")
    run("endpoints", "delete", "e")
    assert server.call("GET", f"{PARENT}/endpoints/e").status == 404
