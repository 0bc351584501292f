"""Deployed models beside the rest of the server: operations that run, nodes, budgets, trust, logs, disk, quotas."""

import json
import pickle
import re
import shlex
import subprocess
import sys
import time

import joblib
import numpy
import pytest
from custom_models import sdist
from server_process import LABELS, ROOT, ROWS, wait_until
from sklearn.neighbors import KNeighborsClassifier
from test_version_trust import Doubler, trust
from vertex_requests import (
    PARENT,
    RESOURCES,
    clear,
    clear_models,
    create_endpoint,
    deploy,
    end,
    start_deploy,
    undeploy,
    upload,
)

BODY = {"instances": ROWS}
SLOW = """
import time

class Routine:
    @classmethod
    def from_path(cls, model_dir):
        time.sleep(600)
        return cls()

    def predict(self, instances, **kwargs):
        return instances
"""


@pytest.fixture
def server(shared_server):
    """The server of this module, without endpoints and models afterwards."""
    yield shared_server
    clear(shared_server)
    clear_models(shared_server)


@pytest.fixture
def slow(server, tmp_path):
    """A model that does not load within the time of a test."""
    sdist(tmp_path / "code", "slow", slow=SLOW)
    uri = server.upload(tmp_path / "code", "gs://bucket-of-models/code")
    image = "us-central1-docker.pkg.dev/proj/own/slow:1"
    pushed = {"imageUri": image, "predictionClass": "slow.Routine", "packageUris": [f"{uri}/slow-0.1.tar.gz"]}
    server.ok("PUT", "/aip-magics/images", pushed)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "any.txt").write_text("")
    return upload(server, tmp_path / "empty", "slow", containerSpec={"imageUri": image})


def test_vertex_deployment_that_runs_keeps_others_off_and_can_be_cancelled(server, sklearn_dir, slow):
    iris = upload(server, sklearn_dir)
    endpoint = create_endpoint(server, "e")
    one = deploy(server, endpoint, iris)
    before = server.ok("GET", endpoint)
    operation = start_deploy(server, endpoint, slow, {"0": 100, one: 0}).body
    wait_until(
        lambda: server.ok("GET", f"/v1/{operation['name']}")["metadata"]["deploymentStage"] == "STARTING_MODEL_SERVER"
    )
    for refused in (
        start_deploy(server, endpoint, iris),
        undeploy(server, endpoint, one),
        server.call("DELETE", endpoint),
    ):
        assert (refused.status, refused.body["error"]["status"]) == (400, "FAILED_PRECONDITION")
        text = f'There are other operations running on the Endpoint "{before["name"]}".'
        assert refused.body["error"]["message"] == f"{text} Operation(s) are: {operation['name']}."
    assert server.ok("POST", f"{endpoint}:predict", BODY)["predictions"] == LABELS
    other = create_endpoint(server, "other")
    deploy(server, other, iris)  # one endpoint does not wait for another
    assert server.ok("POST", f"/v1/{operation['name']}:cancel", {}) == {}
    done = end(server, operation)
    assert done["error"] == {"code": 1, "message": "The operation was cancelled."}
    assert server.ok("GET", endpoint) == before
    deploy(server, endpoint, iris, {"0": 50, one: 50})


def test_vertex_deployment_is_forgotten_with_the_nodes_when_it_is_undeployed(server, sklearn_dir):
    def state():
        folders = [sorted((server.data_dir / name).iterdir()) for name in ("logs", "artifacts")]
        return [*folders, len(server.processes())]

    model = upload(server, sklearn_dir)
    endpoint = create_endpoint(server, "e")
    undeploy(server, endpoint, deploy(server, endpoint, model))  # after that the framework's parent process is up
    before = state()
    for _ in range(2):
        one = deploy(server, endpoint, model)
        server.ok("POST", f"{endpoint}:predict", BODY)
        assert undeploy(server, endpoint, one).status == 200
        wait_until(lambda: state() == before)


def test_vertex_model_that_is_deployed_cannot_be_deleted(server, sklearn_dir):
    model = upload(server, sklearn_dir)
    upload(server, sklearn_dir)
    endpoint = create_endpoint(server, "e")
    deploy(server, endpoint, f"{model.partition('@')[0]}@2")
    for path in ("models/iris", "models/iris@2:deleteVersion"):
        refused = server.call("DELETE", f"{PARENT}/{path}")
        assert (refused.status, "endpoints/e" in refused.body["error"]["message"]) == (400, True)
    shown = server.ok("GET", f"{PARENT}/models/iris@2")
    assert [one["endpoint"].rpartition("/")[2] for one in shown["deployedModels"]] == ["e"]


def test_vertex_model_that_is_being_deployed_cannot_be_deleted(server, sklearn_dir, slow):
    upload(server, sklearn_dir, "slow")  # another version, which is deployed nowhere
    operation = start_deploy(server, create_endpoint(server, "e"), slow).body
    for path in ("models/slow", "models/slow@1:deleteVersion"):
        refused = server.call("DELETE", f"{PARENT}/{path}")
        assert refused.status == 400, refused
        assert "being deployed at the following Endpoint(s): projects/" in refused.body["error"]["message"]
        assert "/endpoints/e. " in refused.body["error"]["message"]
    server.ok("DELETE", f"{PARENT}/models/slow@2:deleteVersion")
    server.ok("POST", f"/v1/{operation['name']}:cancel", {})
    end(server, operation)
    server.ok("DELETE", f"{PARENT}/models/slow")


def test_vertex_replicas_are_kept_and_ended_within_the_bounds(new_server, sklearn_dir):
    server = new_server("--idle-nodes", "0.5").start()
    endpoint = create_endpoint(server, "e")
    resources = {**RESOURCES, "minReplicaCount": 2, "maxReplicaCount": 3}
    one = deploy(server, endpoint, upload(server, sklearn_dir), dedicatedResources=resources)

    def nodes():
        return server.ok("GET", f"{endpoint}/deployedModels/{one}:stats")["nodes"]

    wait_until(lambda: nodes()["running"] == 2)
    assert (nodes()["least"], nodes()["most"]) == (2, 3)
    time.sleep(1.5)  # longer than idle nodes are kept
    assert nodes()["running"] == 2
    mutation = {"id": one, "dedicatedResources": {"minReplicaCount": 1}}
    mask = "dedicatedResources.minReplicaCount"
    server.ok("POST", f"{endpoint}:mutateDeployedModel", {"deployedModel": mutation, "updateMask": mask})
    wait_until(lambda: nodes()["running"] == 1)


def test_vertex_deployment_needs_room_in_the_budget(new_server, tmp_path):
    folder = tmp_path / "large"
    folder.mkdir()
    joblib.dump(KNeighborsClassifier().fit(numpy.random.rand(100_000, 8), [0, 1] * 50_000), folder / "model.joblib")
    server = new_server("--memory-budget", str(4 << 20)).start()
    endpoint = create_endpoint(server, "e")
    done = end(server, start_deploy(server, endpoint, upload(server, folder)).body)
    assert done["error"]["code"] == 9
    assert done["error"]["message"].endswith("Restart the server with a larger --memory-budget.")
    assert "Create Version" not in done["error"]["message"]
    assert "deployedModels" not in server.ok("GET", endpoint)


def test_vertex_deployment_of_an_untrusted_file_names_the_command(server, tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "model.pkl").write_bytes(pickle.dumps(Doubler()))
    model = upload(server, folder)
    endpoint = create_endpoint(server, "e")
    message = end(server, start_deploy(server, endpoint, model).body)["error"]["message"]
    assert "builtins.eval" in message
    assert "run this and deploy the model again" in message
    line = re.search(r"aip-magics (trust .+)$", message)
    trust(server, *shlex.split(line[1])[1:])
    deploy(server, endpoint, model)
    assert server.ok("POST", f"{endpoint}:predict", {"instances": [[4], [5]]})["predictions"] == [8, 10]


def test_vertex_deployed_model_shows_statistics_logs_and_runtime(server, sklearn_dir):
    logging = {"enabled": True, "samplingRate": 1.0, "bigqueryDestination": {"outputUri": "bq://proj.data"}}
    endpoint = create_endpoint(server, "e", predictRequestResponseLoggingConfig=logging)
    assert server.ok("GET", endpoint)["predictRequestResponseLoggingConfig"] == logging
    one = deploy(server, endpoint, upload(server, sklearn_dir))
    path = f"{endpoint}/deployedModels/{one}"
    server.ok("POST", f"{endpoint}:predict", BODY)
    assert server.call("POST", f"{endpoint}:predict", {"instances": [[1]]}).status == 400
    stats = server.ok("GET", f"{path}:stats")
    assert (stats["requests"], stats["errors"], stats["nodes"]["running"]) == (2, 1, 1)
    assert stats["name"].endswith(f"/endpoints/e/deployedModels/{one}")
    logs = server.ok("GET", f"{path}:logs?lines=10")
    assert [json.loads(line)["status"] for line in logs["access"]] == [200, 400]
    (row,) = map(json.loads, logs["requests"])
    assert (row["model"], row["model_version"]) == ("e", one)
    assert row["table"] == "proj.data.request_response_logging"
    assert json.loads(row["raw_data"]) == BODY
    assert json.loads(row["raw_prediction"])["predictions"] == LABELS
    runtime = server.ok("GET", f"{path}:runtime")
    assert (runtime["python"], "scikit-learn" in runtime["libraries"]) == (sys.executable, True)
    assert server.call("GET", f"{endpoint}/deployedModels/7:stats").status == 404


def test_vertex_deployments_take_nothing_from_the_quotas_of_ai_platform(server, sklearn_dir, slow):
    """As many deployments at once as AI Platform allows operations do not keep a version from being created."""
    number = slow.split("/")[1]
    running = []
    for count in range(11):
        endpoint = create_endpoint(server, f"r{count}")
        answer = start_deploy(server, endpoint, slow)
        assert answer.status == 200, answer
        running.append(answer.body["name"])
    uri = server.upload(sklearn_dir, "gs://bucket-of-models/m")
    server.ok("POST", f"/v1/projects/{number}/models", {"name": "m"})
    body = {"name": "v1", "deploymentUri": uri, "framework": "SCIKIT_LEARN", "machineType": "mls1-c1-m2"}
    assert server.wait(server.ok("POST", f"/v1/projects/{number}/models/m/versions", body))["response"]
    server.ok("DELETE", f"/v1/projects/{number}/models/m/versions/v1")
    server.ok("DELETE", f"/v1/projects/{number}/models/m")
    for name in running:
        server.ok("POST", f"/v1/{name}:cancel", {})
        end(server, {"name": name})


def test_vertex_deployments_are_used_for_the_disk(new_server, sklearn_dir):
    server = new_server().start()
    endpoint = create_endpoint(server, "e")
    deploy(server, endpoint, upload(server, sklearn_dir))
    server.ok("POST", f"{endpoint}:predict", BODY)
    assert server.stop() == 0
    command = [sys.executable, "-m", "aip_magics.server", "--data-dir", str(server.data_dir), "--disk"]
    told = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120, check=True)
    report = json.loads(told.stdout)
    unused = [one["kind"] for one in report["unused"]]
    assert not {"models", "logs"} & set(unused)
    assert (report["kinds"]["models"]["entries"], report["kinds"]["logs"]["entries"] > 0) == (1, True)
