"""Predict requests as bytes, and the answers read from a connection below any client library."""

import http.client
import json

from server_process import LABELS, ROWS

V = "/v1/projects/proj/models/m/versions/v1:predict"
M = "/v1/projects/proj/models/m:predict"
GOOD = json.dumps({"instances": ROWS}).encode()
PREDICTIONS = {"predictions": LABELS}


def request(token, body=GOOD, path=V, host="127.0.0.1", **headers):
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def answers(connection, count=1):
    """Status, headers without the date, and the parsed body of that many answers."""
    found, stream = [], connection.makefile("rb")
    for _ in range(count):
        answer = http.client.HTTPResponse(_Kept(stream))
        answer.begin()
        body = json.loads(answer.read())
        headers = {name.lower(): value for name, value in answer.getheaders()}
        assert "date" in headers
        found.append((answer.status, {k: v for k, v in headers.items() if k != "date"}, body))
    return found


class _Kept:
    """A stream that HTTPResponse may close without closing the connection."""

    def __init__(self, stream):
        self._stream = stream

    def makefile(self, _mode):
        return _Unclosed(self._stream)


class _Unclosed:
    def __init__(self, stream):
        self.readline, self.read, self.readinto = stream.readline, stream.read, stream.readinto

    def close(self):
        pass

    def flush(self):
        pass
