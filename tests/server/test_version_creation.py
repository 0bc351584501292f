"""CREATE_VERSION with real workers: what fails, what is refused, what is cancelled, what a crash leaves."""

import json
import pickle
import shutil
import sqlite3
import sys
from urllib.parse import quote

import joblib
import numpy
import pytest
import xgboost
from server_process import LABELS, ROWS, wait_until
from sklearn.linear_model import LogisticRegression

P = "/v1/projects/proj"


@pytest.fixture
def server(cleared_server):
    return cleared_server


class Sleeper:
    """Unpickles after a while, and prints a mark when it begins: a worker can write to nothing but its log."""

    def __init__(self, mark, seconds):
        self.mark, self.seconds = str(mark), seconds

    def __reduce__(self):
        code = f"print({self.mark!r}, flush=True); __import__('time').sleep({self.seconds})"
        return eval, (f"[exec({code!r}), __import__('sklearn.dummy').dummy.DummyClassifier()][1]",)


def printed(server, text):
    """Whether a worker of the server printed it."""
    return any(str(text) in log.read_text("utf-8", "replace") for log in server.data_dir.rglob("*.log"))


def folder_with(tmp_path, name, content):
    folder = tmp_path / f"dir-{name}"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return folder


def test_version_creation_of_a_broken_pickle_fails_with_its_reason(server, tmp_path, sklearn_dir):
    folder = folder_with(tmp_path, "model.pkl", b"\x80\x04this is no pickle")
    operation = server.deploy(folder, framework="SCIKIT_LEARN")
    failure = operation["error"]
    assert failure["code"] == 3
    head = 'Create Version failed. Bad model detected with error:  "Failed to load model: Could not load the model: '
    assert failure["message"].startswith(head)
    assert failure["message"].endswith('(Error code: 0)"')
    assert "response" not in operation
    version = server.ok("GET", f"{P}/models/m/versions/v1")
    assert version["state"] == "FAILED"
    assert version["errorMessage"] == failure["message"]
    assert "isDefault" not in version
    answer = server.call("POST", f"{P}/models/m/versions/v1:predict", {"instances": [[1, 2]]})
    assert "Online prediction is unavailable for this version." in answer.body["error"]["message"]
    assert server.call("POST", f"{P}/models/m/versions/v1:setDefault", {}).status == 400
    assert list((server.data_dir / "artifacts").iterdir()) == []
    server.ok("DELETE", f"{P}/models/m/versions/v1")
    assert server.deploy(sklearn_dir, version="v2")["response"]["isDefault"] is True


def test_version_creation_ends_with_an_error_that_utf_8_cannot_hold(server, tmp_path):
    class Raising:
        def __reduce__(self):
            return eval, ("exec('raise ValueError(chr(0xD800))')",)

    folder = folder_with(tmp_path, "model.pkl", pickle.dumps(Raising()))
    operation = server.deploy(folder, framework="SCIKIT_LEARN", trusted=True)
    assert r"\ud800" in operation["error"]["message"]


def test_version_creation_fails_with_the_last_words_of_an_ended_process(server, tmp_path):
    class Deadly:
        def __reduce__(self):
            return eval, ("[print('last words', flush=True), __import__('os')._exit(7)]",)

    operation = server.deploy(folder_with(tmp_path, "model.pkl", pickle.dumps(Deadly())), trusted=True)
    assert "exited with code 7" in operation["error"]["message"]
    (info,) = operation["error"]["details"]
    assert info["@type"] == "type.googleapis.com/google.rpc.DebugInfo"
    assert "last words" in info["stackEntries"]
    assert server.call("GET", "/healthz").status == 200


def test_version_creation_recognises_an_xgboost_model_by_its_file(server, tmp_path):
    matrix = xgboost.DMatrix(numpy.array(ROWS), label=LABELS)
    booster = xgboost.train({"objective": "binary:logistic"}, matrix, 3)
    folder = tmp_path / "xgb"
    folder.mkdir()
    (folder / "model.bst").write_bytes(booster.save_raw("ubj"))
    assert server.deploy(folder)["response"]["framework"] == "XGBOOST"
    answer = server.ok("POST", f"{P}/models/m:predict", {"instances": ROWS})
    assert answer["predictions"] == pytest.approx(booster.predict(matrix).tolist())


def test_version_creation_serves_with_the_python_of_the_caller(server, tmp_path, sklearn_dir):
    uri = server.upload(sklearn_dir, "gs://bucket/m")
    server.ok("POST", f"{P}/models", {"name": "m"})
    path, body = f"{P}/models/m/versions", {"name": "v1", "deploymentUri": uri}
    (tmp_path / "not-executable").write_text("")
    for wrong in ("python3", "/no/such/python", str(tmp_path), str(tmp_path / "not-executable")):
        answer = server.call("POST", path, body, X_Aip_Magics_Python=wrong)
        assert answer.status == 400
        assert "is not the absolute path of a Python interpreter" in answer.body["error"]["message"]
    link = tmp_path / "파이썬" / "python"
    link.parent.mkdir()
    link.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    link.chmod(0o700)
    server.wait(server.ok("POST", path, body, X_Aip_Magics_Python=quote(str(link))))
    assert server.ok("GET", f"{path}/v1:runtime")["python"] == str(link)
    assert server.ok("POST", f"{P}/models/m:predict", {"instances": [[3, 3]]}) == {"predictions": [1]}


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("gs://no-such-bucket/dir", "The bucket gs://no-such-bucket was not found."),
        ("gs://content/none/", "Deployment directory gs://content/none/ was not found or holds no files."),
        ("gs://content/sub", "is expected to contain exactly one of: [model.joblib, model.pkl]."),
        ("gs://content/", "cannot become a file of the model directory"),
        ("gs://content/both", "is expected to contain exactly one of"),
        ("gs://content/escape", "cannot become a file of the model directory"),
        ("gs://content/twice", "cannot become a file of the model directory"),
    ],
)
def test_version_creation_refuses_deployment_directories(shared_server, uri, text):
    shared_server.call("POST", f"{P}/models", {"name": "m"})
    shared_server.call("POST", "/storage/v1/b?project=proj", {"name": "content"})
    for name in (
        "sub/deeper/model.pkl", "both/model.pkl", "both/model.joblib",
        "escape/model.pkl", "escape/../../../evil", "twice/model.pkl", "twice/model.pkl/x",
    ):  # fmt: skip
        query = f"uploadType=media&name={name.replace('/', '%2F')}"
        shared_server.ok("POST", f"/upload/storage/v1/b/content/o?{query}", b"content")
    body = {"name": "v1", "deploymentUri": uri, "framework": "SCIKIT_LEARN"}
    answer = shared_server.call("POST", f"{P}/models/m/versions", body)
    assert answer.status == 400
    assert answer.body["error"]["status"] == "FAILED_PRECONDITION"
    assert answer.body["error"]["message"].startswith("Field: version.deployment_uri Error: ")
    assert text in answer.body["error"]["message"]
    assert shared_server.ok("GET", f"{P}/models/m/versions") == {}


def test_version_creation_can_be_cancelled_but_the_version_not_deleted(server, tmp_path):
    mark = tmp_path / "mark"
    uri = server.upload(
        folder_with(tmp_path, "model.pkl", pickle.dumps(Sleeper(mark, 60))), "gs://bucket/m", trusted=True
    )
    server.ok("POST", f"{P}/models", {"name": "m"})
    begun = server.ok("POST", f"{P}/models/m/versions", {"name": "v1", "deploymentUri": uri})
    wait_until(lambda: printed(server, mark))
    assert server.ok("GET", f"{P}/models/m/versions/v1")["state"] == "CREATING"
    refused = server.call("DELETE", f"{P}/models/m/versions/v1")
    assert "in state CREATING cannot be deleted" in refused.body["error"]["message"]
    taken = server.call("POST", f"{P}/models/m/versions", {"name": "v1", "deploymentUri": uri})
    assert taken.body["error"]["message"] == "Field: version.name Error: A version with the same name already exists."
    assert server.ok("POST", f"/v1/{begun['name']}:cancel") == {}
    operation = server.wait(begun)
    assert operation["error"]["code"] == 1
    assert operation["metadata"]["isCancellationRequested"] is True
    assert server.ok("GET", f"{P}/models/m/versions/v1")["state"] == "FAILED"
    server.ok("DELETE", f"{P}/models/m/versions/v1")


def test_version_creation_survives_kill_9_and_the_version_predicts(server, new_server, sklearn_dir):
    server.deploy(sklearn_dir)
    assert server.call("DELETE", "/storage/v1/b/bucket-of-models/o/m%2Fv1%2Fmodel.joblib").status == 204
    before = server.ok("GET", f"{P}/models/m/versions/v1")
    server.kill()
    again = new_server(data_dir=server.data_dir).start()
    assert again.ok("GET", f"{P}/models/m/versions/v1") == before
    assert again.ok("POST", f"{P}/models/m:predict", {"instances": [[3, 3]]}) == {"predictions": [1]}


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_version_creation_is_finished_by_the_next_server(server, new_server, tmp_path, how):
    mark = tmp_path / "mark"
    model = LogisticRegression().fit(ROWS, LABELS)
    folder = tmp_path / "slow"
    folder.mkdir()
    joblib.dump(Slow(model, mark), folder / "model.joblib")
    uri = server.upload(folder, "gs://bucket/m", trusted=True)
    server.ok("POST", f"{P}/models", {"name": "m"})
    begun = server.ok("POST", f"{P}/models/m/versions", {"name": "v1", "deploymentUri": uri})
    wait_until(lambda: printed(server, f"False {mark}"))
    mark.touch()
    getattr(server, how)()
    shutil.rmtree(tmp_path / "slow")
    again = new_server(data_dir=server.data_dir).start()
    operation = again.wait(begun)
    assert operation["response"]["state"] == "READY"
    assert operation["name"] == begun["name"]
    assert len(again.ok("GET", f"{P}/operations")["operations"]) == 1
    assert printed(again, f"True {mark}")
    assert again.ok("POST", f"{P}/models/m:predict", {"instances": [[3, 3]]}) == {"predictions": [1]}


class Slow:
    """Unpickles to a model, after a while the first time and at once the second."""

    def __init__(self, model, mark):
        self.model, self.mark = model, str(mark)

    def __reduce__(self):
        data = pickle.dumps(self.model)
        code = (
            f"import os, time; again = os.path.exists({self.mark!r}); print(again, {self.mark!r}, flush=True); "
            "again or time.sleep(60)"
        )
        return eval, (f"[exec({code!r}), __import__('pickle').loads({data!r})][1]",)


def test_version_creation_of_a_version_that_is_gone_is_aborted(server, new_server, sklearn_dir):
    operation = server.deploy(sklearn_dir)
    server.stop()
    with sqlite3.connect(server.data_dir / "service.sqlite") as database:
        database.execute("DELETE FROM versions")
        database.execute("UPDATE operations SET state = 'RUNNING'")
        document = {"name": operation["name"], "metadata": {"operationType": "CREATE_VERSION"}}
        database.execute("UPDATE operations SET document = ?", (json.dumps(document),))
    database.close()
    again = new_server(data_dir=server.data_dir).start()
    aborted = again.ok("GET", f"/v1/{operation['name']}")
    assert aborted["done"] is True
    assert aborted["error"]["code"] == 10
    assert list((again.data_dir / "artifacts").iterdir()) == []  # nobody needs the copy any more
