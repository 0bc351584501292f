"""Clients that cannot say --trust: the version is FAILED with the line that consents, then the same call works."""

from __future__ import annotations

import json
import os
import pickle
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from server_process import ServerProcess

P = "/v1/projects/proj"


@pytest.fixture
def server(cleared_server: ServerProcess) -> ServerProcess:
    return cleared_server


class Doubler:
    """Pickled with its code, as cloudpickle would: loading it runs `exec`."""

    CODE = """
import sys
class Doubler:
    def predict(self, rows):
        return [2 * row[0] for row in rows]
Doubler.__module__ = "sklearn.doubler"
open({mark!r}, "a").close() if {mark!r} else None
"""

    def __init__(self, mark: str = "") -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        code = self.CODE.format(mark=self.mark)
        return eval, (f"[exec({code!r}, space), space['Doubler']()][1]", {"space": {}})


def trust(server: ServerProcess, *words: str) -> dict[str, Any]:
    """`aip-magics trust …` as the user types it."""
    ran = subprocess.run(
        [sys.executable, "-m", "aip_magics", "trust", *words, "--format", "json"],
        env={**os.environ, "AIP_MAGICS_HOME": str(server.data_dir)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "own model"
    made.mkdir()
    (made / "model.pkl").write_bytes(pickle.dumps(Doubler()))
    return made


def create(server: ServerProcess, folder: Path, **fields: Any) -> dict[str, Any]:
    return server.deploy(folder, "m", "v1", framework="SCIKIT_LEARN", **fields)


def test_version_trust_fails_with_the_line_that_consents(server: ServerProcess, folder: Path) -> None:
    failure = create(server, folder)["error"]
    assert "builtins.eval" in failure["message"]
    version = server.ok("GET", f"{P}/models/m/versions/v1")
    assert (version["state"], version["errorMessage"]) == ("FAILED", failure["message"])
    line = re.search(r"aip-magics (trust .+)$", failure["message"])
    assert line, failure["message"]
    assert create(server, folder)["error"]["message"] == failure["message"]  # saying it again is no consent
    trust(server, *shlex.split(line[1])[1:])
    assert create(server, folder)["response"]["state"] == "READY"
    answer = server.ok("POST", f"{P}/models/m/versions/v1:predict", {"instances": [[4], [5]]})
    assert answer == {"predictions": [8, 10]}
    again = server.call("POST", f"{P}/models/m/versions", {"name": "v1", "deploymentUri": "gs://bucket-of-models/m/v1"})
    assert again.status == 409  # what is READY is not replaced


def test_version_trust_is_for_a_content(server: ServerProcess, folder: Path, tmp_path: Path) -> None:
    trust(server, str(folder))
    assert create(server, folder)["response"]["state"] == "READY"
    mark = tmp_path / "mark"
    (folder / "model.pkl").write_bytes(pickle.dumps(Doubler(str(mark))))
    assert "error" in server.deploy(folder, "m", "v2", framework="SCIKIT_LEARN")
    assert not mark.exists()


def test_version_trust_can_be_taken_back_and_shown(server: ServerProcess, folder: Path) -> None:
    [name] = trust(server, str(folder))["files"].values()
    assert name == "model.pkl"
    assert list(trust(server)["files"].values()) == ["model.pkl"]
    trust(server, str(folder), "--forget")
    assert trust(server)["files"] == {}
    assert "error" in create(server, folder)


def test_version_trust_leaves_the_name_of_a_version_that_failed_otherwise(
    server: ServerProcess, tmp_path: Path
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "model.pkl").write_bytes(b"\x80\x04broken")
    assert "error" in create(server, tmp_path / "broken")
    uri = "gs://bucket-of-models/m/v1"
    answer = server.call("POST", f"{P}/models/m/versions", {"name": "v1", "deploymentUri": uri})
    assert answer.status == 409


def test_version_trust_asks_nothing_about_an_ordinary_model(server: ServerProcess, sklearn_dir: Path) -> None:
    assert create(server, sklearn_dir)["response"]["state"] == "READY"
    assert not (server.data_dir / "trusted.json").exists()
