"""The target aiplatform: Google's endpoints by name, and a whole deploy against any compatible one.

Cloud credentials do not exist here: the embedded server is the other end, and its token what google-auth finds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import google.auth
import pytest
from google.oauth2.credentials import Credentials
from recording_reporter import RecordingReporter

from aip_magics import settings
from aip_magics.commands.common.command import Context
from aip_magics.commands.registry import build_parser, get_command
from aip_magics.errors import ChecksFailed, CredentialsError, OptionError
from aip_magics.targets import choose, local


def run(verb: str, *words: str, body: str | None = None) -> Any:
    command = get_command(verb)
    args = build_parser(command, verb).parse(list(words))
    return command.run(args, body, Context(RecordingReporter()))


def deploy(*words: str) -> Any:
    return run("deploy", *words, body="test:\n  instances:\n  - [5.1, 3.5, 1.4, 0.2]\n")


@pytest.mark.parametrize(
    ("region", "endpoint"),
    [
        (None, "https://ml.googleapis.com"),
        ("global", "https://ml.googleapis.com"),
        ("europe-west1", "https://europe-west1-ml.googleapis.com"),
    ],
)
def test_cloud_target_has_googles_endpoints(region: str | None, endpoint: str) -> None:
    target = choose(settings.resolve(target="aiplatform", project="my-project", region=region))
    assert target.endpoint == endpoint
    assert target.storage_url == "https://storage.googleapis.com"


def test_cloud_target_names_the_fix_without_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # google-auth would ask the metadata server of a cloud machine
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(CredentialsError, match="Application Default Credentials not found") as caught:
        choose(settings.resolve(target="aiplatform", project="my-project")).connect()
    assert "gcloud auth application-default login" in caught.value.fix


def test_cloud_target_deploys_at_a_compatible_endpoint(
    embedded: Path, iris_export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = local.running(embedded) or local.start(embedded)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "those of the next line")
    monkeypatch.setattr(google.auth, "default", lambda **_: (Credentials(token=state.token), None))  # type: ignore[no-untyped-call]
    where = ["--endpoint", state.url, "--storage-endpoint", state.url, "--project", "my-project"]
    with pytest.raises(ChecksFailed, match=r"scikit-learn .* cannot be loaded by any runtime"):
        deploy("--origin", str(iris_export), "--runtime-version", "2.11", *where)
    version = deploy("--origin", str(iris_export), "--runtime-version", "2.11", "--skip", "A02", *where)
    assert (version.state, version.runtimeVersion, version.pythonVersion) == ("READY", "2.11", "3.7")
    assert version.deploymentUri == "gs://my-project-aiplatform/iris/v1/"
    compare_and_promote_as_at_the_embedded_server(where, iris_export.parent / "rows")


def compare_and_promote_as_at_the_embedded_server(where: list[str], rows: Path) -> None:
    rows.write_text("[5.1, 3.5, 1.4, 0.2]\n")
    assert run("compare", "v1", "v1", "--instances", str(rows), *where).is_equal
    assert run("promote", "v1", *where).split == {"v1": 100}
    with pytest.raises(OptionError, match="AI Platform sends all requests to the default version"):
        run("traffic", "iris", "v1=50", "v2=50", *where)
    with pytest.raises(OptionError, match="only the embedded server has logs"):
        run("compare", "v1", "v1", "--from-log", "5", *where)
