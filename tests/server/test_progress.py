"""The operations of versions.create while they run, when there are many, and when the server is killed under them."""

import contextlib
import pickle
import random
import threading
import time

import pytest
import requests
from server_process import wait_until
from test_version_creation import Sleeper, folder_with, printed

P = "/v1/projects/proj"
ROUNDS = 5


@pytest.fixture
def server(cleared_server):
    return cleared_server


@pytest.fixture
def slow(server, tmp_path):
    """Begin a version whose model takes a minute to load; its operation."""
    mark = tmp_path / "mark"
    uri = server.upload(
        folder_with(tmp_path, "model.pkl", pickle.dumps(Sleeper(mark, 60))), "gs://bucket/slow", trusted=True
    )
    server.ok("POST", f"{P}/models", {"name": "m"})

    def begin(version):
        return server.ok("POST", f"{P}/models/m/versions", {"name": version, "deploymentUri": uri})

    begin.mark = mark
    return begin


def test_operations_show_progress_while_they_run(server, slow, sklearn_dir):
    begun = slow("v1")
    assert begun["metadata"]["progress"] == {"stage": "copying"}
    wait_until(lambda: printed(server, slow.mark))
    running = server.ok("GET", f"/v1/{begun['name']}")
    assert running["metadata"]["progress"] == {"stage": "loading"}
    assert running["metadata"]["startTime"]
    assert not running.get("done")
    assert server.ok("GET", f"{P}/operations?filter=-done%3Dtrue")["operations"] == [running]
    server.ok("POST", f"/v1/{begun['name']}:cancel")
    server.ok("POST", f"/v1/{begun['name']}:cancel")  # once more, while the first is still being carried out
    failed = server.wait(begun)
    assert failed["error"] == {"code": 1, "message": "Create Version was cancelled."}
    assert failed["metadata"]["progress"] == {"stage": "loading"}  # so far it came
    version = server.ok("GET", f"{P}/models/m/versions/v1")
    assert (version["state"], version["errorMessage"]) == ("FAILED", "Create Version was cancelled.")
    done = server.deploy(sklearn_dir, "m", "v2")
    assert done["metadata"]["progress"] == {"stage": "ready"}


def test_operations_run_ten_at_once_and_no_more(server, slow):
    begun = [slow(f"v{number}") for number in range(10)]
    body = {"name": "v10", "deploymentUri": "gs://bucket/slow"}
    answer = server.call("POST", f"{P}/models/m/versions", body)
    assert answer.status == 429
    assert "At most 10 operations that create or delete a version" in answer.body["error"]["message"]
    assert server.call("GET", f"{P}/models/m/versions/v10").status == 404
    for operation in begun:
        server.ok("POST", f"/v1/{operation['name']}:cancel")
    for operation in begun:
        assert server.wait(operation)["error"]["code"] == 1
    server.ok("DELETE", f"{P}/models/m/versions/v0")


def test_operations_cancelled_while_the_failure_is_written_lose_nothing(server, tmp_path):
    uri = server.upload(folder_with(tmp_path, "model.pkl", b"\x80\x04broken"), "gs://bucket/broken")
    server.ok("POST", f"{P}/models", {"name": "m"})
    for number in range(15):
        body = {"name": f"v{number}", "deploymentUri": uri, "framework": "SCIKIT_LEARN"}
        begun = server.ok("POST", f"{P}/models/m/versions", body)
        time.sleep(random.uniform(0, 0.1))
        server.ok("POST", f"/v1/{begun['name']}:cancel")
        assert server.wait(begun)["error"]["code"] in (1, 3)
        assert server.ok("GET", f"{P}/models/m/versions/v{number}")["state"] == "FAILED"


def test_operations_are_done_in_one_poll_of_gcloud(server, sklearn_dir):
    uri = server.upload(sklearn_dir, "gs://bucket/quick")
    server.ok("POST", f"{P}/models", {"name": "m"})
    begun = server.ok("POST", f"{P}/models/m/versions", {"name": "v1", "deploymentUri": uri})
    polled = server.ok("GET", f"/v1/{begun['name']}", User_Agent="google-cloud-sdk gcloud/528.0.0 command/x")
    assert polled["done"] is True


def test_operations_survive_kill_9_at_any_moment_once_each(new_server, tmp_path, sklearn_dir):
    """The server is killed before, while and after it answers the request; the next one finishes what was begun."""
    server = new_server(data_dir=tmp_path / "killed").start()
    uri = server.upload(sklearn_dir, "gs://bucket/m")
    server.ok("POST", f"{P}/models", {"name": "m"})
    answered = []

    def create(number):
        # Killed before it answered, or in the middle of its answer.
        with contextlib.suppress(requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
            body = {"name": f"v{number}", "deploymentUri": uri}
            answered.append(server.ok("POST", f"{P}/models/m/versions", body)["name"])

    for number in range(ROUNDS):
        client = threading.Thread(target=create, args=[number])
        client.start()
        time.sleep(random.uniform(0, 0.02 if number % 2 else 0.4))
        server.kill()
        client.join()
        server = new_server(data_dir=tmp_path / "killed").start()
    operations = server.ok("GET", f"{P}/operations").get("operations", [])
    names = [operation["name"] for operation in operations]
    assert set(answered) <= set(names)  # nothing that was answered is lost
    for operation in operations:
        assert server.wait(operation)["response"]["state"] == "READY"
    versions = server.ok("GET", f"{P}/models/m/versions").get("versions", [])
    made = [operation["metadata"]["version"]["name"] for operation in operations]
    assert sorted(made) == [version["name"] for version in versions]  # one operation each
    assert sum(version.get("isDefault", False) for version in versions) == 1
    assert len(list((server.data_dir / "artifacts").iterdir())) == 1  # one copy, nothing half built
    for version in versions[:1] + versions[-1:]:
        answer = server.ok("POST", f"/v1/{version['name']}:predict", {"instances": [[0, 0], [3, 3]]})
        assert answer == {"predictions": [0, 1]}
    for version in sorted(versions, key=lambda version: version.get("isDefault", False)):
        server.ok("DELETE", f"/v1/{version['name']}")
    assert list((server.data_dir / "artifacts").iterdir()) == []
