"""`gcloud storage`, when it is installed, against a real server process."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

GCLOUD = shutil.which("gcloud")
pytestmark = pytest.mark.skipif(GCLOUD is None, reason="gcloud is not installed")


@pytest.fixture
def gcloud(object_server: Any, tmp_path: Path) -> Callable[..., str]:
    token = tmp_path / "token"
    token.write_text("t")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("CLOUDSDK_", "GOOGLE_"))},
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": f"{object_server.url}/",
        "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(token),
        "CLOUDSDK_CONFIG": str(tmp_path / "config"),
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
        "CLOUDSDK_CORE_PROJECT": "demo",
        "HOME": str(tmp_path),
    }

    def run(*args: str) -> str:
        done = subprocess.run(
            [str(GCLOUD), "storage", *args], env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_gcs_with_gcloud_storage_up_and_down(gcloud: Callable[..., str], bucket_name: str, tmp_path: Path) -> None:
    model = tmp_path / "model"
    files = {
        "small.txt": b"hello\n",
        "ends in cr": b"binary\x85\r",
        "empty": b"",
        "variables/data": os.urandom(9 << 20),  # above 8 MiB: resumable
        "assets/한국어.txt": b"\r\n",
    }
    for name, data in files.items():
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        (model / name).write_bytes(data)

    gcloud("buckets", "create", "gs://gcloud-bucket", "--location=us-east1")
    gcloud("cp", "-r", str(model), "gs://gcloud-bucket/models")
    listed = gcloud("ls", "-r", "gs://gcloud-bucket/**").split("\n")
    assert sorted(filter(None, listed)) == sorted(f"gs://gcloud-bucket/models/{name}" for name in files)
    assert gcloud("cat", "gs://gcloud-bucket/models/small.txt") == "hello\n"

    gcloud("cp", "-r", "gs://gcloud-bucket/models/*", str(tmp_path))
    for name, data in files.items():
        assert (tmp_path / name).read_bytes() == data

    (model / "small.txt").write_bytes(b"changed\n")
    (model / "empty").unlink()
    gcloud("rsync", "-r", "--delete-unmatched-destination-objects", str(model), "gs://gcloud-bucket/models")
    assert gcloud("cat", "gs://gcloud-bucket/models/small.txt") == "changed\n"
    assert "empty" not in gcloud("ls", "gs://gcloud-bucket/models/")

    gcloud("rm", "-r", "gs://gcloud-bucket")
    left = gcloud("ls").split()  # an empty list would be an error to gcloud: the fixture's bucket is still there
    assert f"gs://{bucket_name}/" in left
    assert "gs://gcloud-bucket/" not in left
