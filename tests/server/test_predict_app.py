"""A predict request gets the same answer, whatever way its bytes arrive and whatever else its head says."""

import json
import socket
import threading

import joblib
import pytest
from server_process import LABELS, ROWS, wait_until
from sklearn.ensemble import RandomForestClassifier
from wire_requests import GOOD, PREDICTIONS, M, V, answers, request


@pytest.fixture
def connect(served):
    """Connections of the test's own, below any client library."""
    made = []

    def new():
        connection = socket.create_connection(("127.0.0.1", served.state.port), timeout=30)
        made.append(connection)
        return connection

    yield new
    for connection in made:
        connection.close()


CASES = {
    "good": {},
    "default version": {"path": M},
    "query": {"path": f"{V}?alt=json"},
    "regional host": {"host": "us-east1-ml.googleapis.com"},
    "not JSON": {"body": b"{"},
    "no instances": {"body": b"{}"},
    "one row of another length": {"body": json.dumps({"instances": [[1.0]]}).encode()},
    "empty": {"body": b""},
    "no such version": {"path": V.replace("v1:", "v2:")},
    "no such model": {"path": M.replace("/m:", "/n:")},
    "foreign host": {"host": "evil.example"},
    "from a page": {"Origin": "http://127.0.0.1"},
    "other method": {"path": V.replace(":predict", ":explain")},
    "at the limit": {"body": GOOD.ljust(1_572_864)},
    "over the limit": {"body": GOOD.ljust(1_572_865)},
}


@pytest.mark.parametrize("case", CASES)
def test_predict_answers_the_same_for_remembered_and_for_new_heads(served, connect, case):
    connection, token = connect(), served.state.token
    connection.sendall(request(token, **CASES[case]))
    connection.sendall(request(token, **{"Connection": "keep-alive", **CASES[case]}))
    first, second = answers(connection, 2)
    assert first == second
    assert first[0] in ({200} if case in ("good", "default version", "query", "at the limit") else range(400, 500))


@pytest.mark.parametrize("token", ["", "wrong"])
def test_predict_asks_for_the_token_after_a_request_that_had_it(served, connect, token):
    connection = connect()
    connection.sendall(request(served.state.token))
    assert answers(connection)[0][0] == 200
    connection.sendall(request(token))
    ((status, headers, _),) = answers(connection)
    assert (status, headers["www-authenticate"]) == (401, "Bearer")


def test_predict_request_may_arrive_in_any_two_pieces(served, connect):
    connection, whole = connect(), request(served.state.token)
    for cut in [*range(1, len(whole), 7), whole.index(b"\r\n\r\n") + 4, len(whole) - 1]:
        connection.sendall(whole[:cut])
        threading.Event().wait(0.002)  # so that the pieces are not read as one
        connection.sendall(whole[cut:] + whole)
        assert [status for status, *_ in answers(connection, 2)] == [200, 200]


def test_predict_pipelined_requests_are_answered_in_order(served, connect):
    connection, token = connect(), served.state.token
    bodies = [json.dumps({"instances": [ROWS[index % 4]] * (index + 1)}).encode() for index in range(40)]
    kinds = [{}, {"Connection": "keep-alive"}]
    connection.sendall(b"".join(request(token, body, **kinds[i % 3 == 0]) for i, body in enumerate(bodies)))
    found = answers(connection, len(bodies))
    assert [body for *_, body in found] == [{"predictions": [LABELS[i % 4]] * (i + 1)} for i in range(40)]


def test_predict_connections_are_closed_where_the_client_asks_for_it(served, connect):
    connection = connect()
    connection.sendall(request(served.state.token, Connection="close"))
    assert answers(connection)[0][2] == PREDICTIONS
    assert connection.recv(1) == b""


def test_predict_is_not_harmed_by_a_client_that_goes_away(served, connect):
    for _ in range(20):
        connection = connect()
        connection.sendall(request(served.state.token))
        connection.close()
    connection = connect()
    connection.sendall(request(served.state.token))
    assert answers(connection)[0][2] == PREDICTIONS
    served.ok("GET", "/v1/projects/proj/models/m")


def test_predict_remembers_a_bounded_number_of_heads(served, connect):
    connection = connect()
    for number in range(600):
        connection.sendall(request(served.state.token, number=number))
        assert answers(connection)[0][0] == 200


def test_predict_requests_and_their_errors_are_counted(served, connect):
    before = served.ok("GET", V.replace(":predict", ":stats"))
    connection = connect()
    connection.sendall(request(served.state.token))
    answers(connection)
    connection.sendall(request(served.state.token, b"{}"))
    answers(connection)
    wait_until(
        lambda: served.ok("GET", V.replace(":predict", ":stats"))["requests"] == before["requests"] + 2,
    )
    after = served.ok("GET", V.replace(":predict", ":stats"))
    assert after["errors"] == before["errors"] + 1


def test_predict_of_a_deleted_version_is_gone_for_remembered_heads(server, sklearn_dir):
    assert server.deploy(sklearn_dir, framework="SCIKIT_LEARN")["response"]["state"] == "READY"
    with socket.create_connection(("127.0.0.1", server.state.port), timeout=30) as connection:
        connection.sendall(request(server.state.token))
        assert answers(connection)[0][0] == 200
        server.wait(server.ok("DELETE", V.replace(":predict", "")))
        connection.sendall(request(server.state.token))
        assert answers(connection)[0][0] == 404


def test_predict_response_is_sent_before_the_server_ends(new_server, tmp_path):
    folder = tmp_path / "forest"  # large enough that its answer takes a while
    folder.mkdir()
    joblib.dump(RandomForestClassifier(800).fit(ROWS, LABELS), folder / "model.joblib")
    server = new_server().start()
    assert server.deploy(folder, framework="SCIKIT_LEARN")["response"]["state"] == "READY"
    with socket.create_connection(("127.0.0.1", server.state.port), timeout=30) as connection:
        connection.sendall(request(server.state.token))
        answers(connection)
        connection.sendall(request(server.state.token))
        server.process.terminate()
        ((status, headers, body),) = answers(connection)
        assert (status, body) == (200, PREDICTIONS)
        assert headers["connection"] == "close"
        assert connection.recv(1) == b""
    assert server.process.wait(30) == 0
