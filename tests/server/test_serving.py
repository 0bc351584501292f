"""Predict over HTTP against real workers: errors of the model, dying workers, limits."""

import os
import pickle
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from server_process import descendants, wait_until

P = "/v1/projects/proj"
PREDICT = f"{P}/models/m:predict"
LIMIT = 1_572_864


class Trap:
    """A model that does what the first value of the first instance says."""

    CODE = """
import os, signal, time
from sklearn.base import BaseEstimator
class Trap(BaseEstimator):
    asked = 0
    def predict(self, rows):
        act, value = rows[0]
        self.asked += 1
        if act == 'pid':
            return [os.getpid()]
        if act == 'die':
            os.kill(os.getpid(), signal.SIGKILL)
        if act == 'die once':
            if self.asked > 1:  # the next worker is a new one: it cannot leave a file for it to find
                os.kill(os.getpid(), signal.SIGKILL)
            return [value]
        if act == 'wait for':
            while not os.path.exists(value):
                time.sleep(0.01)
            return [os.getpid()]
        raise ValueError(act)
Trap.__module__ = 'sklearn.trap'
"""

    def __reduce__(self):
        return eval, (f"[exec({self.CODE!r}, space), space['Trap']()][1]", {"space": {}})


@pytest.fixture(scope="module")
def trap_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trap")
    (folder / "model.pkl").write_bytes(pickle.dumps(Trap()))
    return folder


@pytest.fixture(scope="module")
def trap(shared_server, trap_dir):
    """The server of this module, which serves the trap."""
    assert shared_server.deploy(trap_dir, framework="SCIKIT_LEARN", trusted=True)["response"]["state"] == "READY"
    return shared_server


@pytest.fixture
def own_trap(server, trap_dir):
    """A server of the test's own, which serves the trap."""
    server.deploy(trap_dir, framework="SCIKIT_LEARN", trusted=True)
    return server


def act(server, *row):
    return server.call("POST", PREDICT, {"instances": [list(row)]})


def test_predict_tells_errors_of_the_model_as_texts_with_status_400(trap):
    answer = act(trap, "nonsense", "")
    assert answer.status == 400
    assert answer.body == {"error": "Prediction failed: Exception during sklearn prediction: nonsense"}
    pid = act(trap, "pid", "").body["predictions"]
    assert act(trap, "pid", "").body["predictions"] == pid  # the worker goes on


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b"\xff", b'{"instances": 3}'])
def test_predict_refuses_bodies_that_are_no_request(trap, body):
    answer = trap.call("POST", PREDICT, body)
    assert answer.status == 400
    assert answer.body["error"].startswith("Prediction failed: ")


def test_predict_body_has_the_limit_of_the_service(trap):
    frame = b'{"instances": [["pid", "%s"]]}'
    fits = frame % (b"x" * (LIMIT - len(frame) + 2))
    assert len(fits) == LIMIT
    assert trap.call("POST", PREDICT, fits).status == 200
    for size in (LIMIT + 1, 8 * LIMIT):
        answer = trap.call("POST", PREDICT, b"x" * size)
        assert answer.status == 400
        assert answer.body["error"]["message"] == "Request payload size exceeds the limit: 1572864 bytes."


def test_predict_loses_no_request_by_a_worker_that_dies(trap, tmp_path):
    first = act(trap, "pid", "").body["predictions"]
    path = str(tmp_path / "died")
    assert act(trap, "die once", path).body == {"predictions": [path]}
    assert act(trap, "pid", "").body["predictions"] != first


def test_predict_tells_a_request_that_it_ended_two_workers(trap):
    answer = act(trap, "die", "")
    assert answer.status == 500
    assert answer.body["error"]["status"] == "INTERNAL"
    message = answer.body["error"]["message"]
    assert message.startswith("This request ended 2 nodes, one after the other: ")
    assert "SIGKILL" in message
    assert act(trap, "pid", "").status == 200


def test_predict_replaces_a_worker_that_was_killed_while_idle(trap):
    (pid,) = act(trap, "pid", "").body["predictions"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: pid not in descendants(trap.process.pid))
    (new,) = act(trap, "pid", "").body["predictions"]
    assert new != pid


def test_predict_requests_wait_for_the_one_node_and_are_all_answered(trap, tmp_path):
    gate = tmp_path / "gate"
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(act, trap, "wait for", str(gate))
        wait_until(lambda: trap.ok("GET", f"{P}/models/m/versions/v1:stats")["nodes"]["busy"])
        rest = [pool.submit(act, trap, "pid", "") for _ in range(7)]
        assert trap.call("GET", "/healthz").status == 200  # the server itself does not wait
        gate.touch()
        answers = [future.result() for future in (first, *rest)]
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body["predictions"][0] for answer in answers}) == 1


def test_predict_first_requests_after_a_restart_share_one_new_worker(own_trap, new_server):
    own_trap.stop()
    again = new_server(data_dir=own_trap.data_dir).start()
    assert descendants(again.process.pid) == set()  # nothing is started before it is asked for
    barrier = threading.Barrier(6)

    def ask(_):
        barrier.wait()
        return act(again, "pid", "").body["predictions"][0]

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(ask, range(6)))) == 1


def test_predict_tells_why_a_version_cannot_be_started_again(own_trap, new_server):
    own_trap.stop()
    (copy,) = (own_trap.data_dir / "artifacts").iterdir()
    (copy / "model.pkl").unlink()
    (copy / "model.pkl").write_bytes(b"\x80\x04")
    again = new_server(data_dir=own_trap.data_dir).start()
    answer = act(again, "pid", "")
    assert answer.status == 500
    message = answer.body["error"]["message"]
    assert message.startswith("No node could be started for this version: Could not load the model: ")


def test_versions_delete_ends_the_worker(own_trap):
    (pid,) = act(own_trap, "pid", "").body["predictions"]
    own_trap.ok("DELETE", f"{P}/models/m/versions/v1")
    wait_until(lambda: pid not in descendants(own_trap.process.pid))
    assert own_trap.call("POST", f"{P}/models/m/versions/v1:predict", {"instances": []}).status == 404
