"""`server env`: the lines it prints point Google's own clients at the embedded server."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from resource_lines import Lines

from aip_magics.targets import local

PARENT = "v1/projects/aip-local/locations/us-central1"


@pytest.fixture
def lines(embedded: Path) -> str:
    """The lines for a running server with an endpoint of Vertex AI."""
    found = Lines(embedded)("server env")
    state = local.running(embedded)
    assert state is not None
    assert state.token not in found
    body = json.dumps({"displayName": "theirs"}).encode()
    headers = {"Authorization": f"Bearer {state.token}", "Content-Type": "application/json"}
    address = f"{state.url}/{PARENT}/endpoints?endpointId=theirs"
    with urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=60) as answer:
        assert answer.status == 200
    return str(found)


@pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not installed")
def test_client_environment_points_gcloud_at_vertex_ai(lines: str) -> None:
    script = f"{lines}\ngcloud ai endpoints list --format='value(displayName)'\ngcloud ai models list\n"
    done = subprocess.run(["sh", "-ec", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["theirs"]
    assert "Listed 0 items." in done.stderr


def test_client_environment_is_read_by_eval_with_and_without_quotes(lines: str, tmp_path: Path) -> None:
    (tmp_path / "lines").write_text(lines)
    shown = "env | grep ^CLOUDSDK_ | sort"
    for evaluated in ('eval "$(cat lines)"', "eval $(cat lines)"):
        done = subprocess.run(
            ["sh", "-ec", f"{evaluated}; {shown}"], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=True
        )
        names = dict(line.split("=", 1) for line in done.stdout.splitlines())
        assert names.items() >= {"CLOUDSDK_AI_REGION": "us-central1", "CLOUDSDK_CORE_PROJECT": "aip-local"}.items()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", names["CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM"])


@pytest.mark.parametrize(
    ("package", "imported", "shown"),
    [
        ("googleapiclient", "from googleapiclient import discovery", "googleapiclient"),
        ("google.cloud.aiplatform", "from google.cloud import aiplatform", "aiplatform"),
    ],
)
def test_client_environment_has_the_lines_of_a_python_program(
    lines: str, package: str, imported: str, shown: str
) -> None:
    if importlib.util.find_spec(package.partition(".")[0]) is None or importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    written = dict(line[2:].split(": ", 1) for line in lines.splitlines() if line.startswith("# "))
    program = [imported, written["Python"]]
    if shown == "aiplatform":
        program += [written["google-cloud-aiplatform"], "print(aiplatform.Endpoint.list()[0].display_name)"]
    else:
        endpoints = f".projects().locations().endpoints().list(parent={PARENT.removeprefix('v1/')!r})"
        program.append(f"print({written['google-api-python-client']}{endpoints}.execute()['endpoints'])")
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(program)], capture_output=True, text=True, timeout=120, env=os.environ
    )
    assert "theirs" in done.stdout, done.stderr
