"""The target vertex as in the cloud: credentials, Google's endpoints, and no extension of the embedded server is used.

Cloud credentials do not exist here: the embedded server is the other end, and its token what google-auth finds.
"""

from __future__ import annotations

from pathlib import Path

import google.auth
import pytest
from google.oauth2.credentials import Credentials
from resource_lines import Lines

from aip_magics import settings
from aip_magics.errors import ChecksFailed, CredentialsError, FailedPrecondition, OptionError, SettingsError
from aip_magics.events import Note, StepFinished, StepSkipped
from aip_magics.targets import choose, local

TEST = "test:\n  instances:\n  - [5.1, 3.5, 1.4, 0.2]\n"
IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/sklearn-cpu.1-6:latest"


@pytest.fixture
def server(embedded: Path) -> local.ServerState:
    return local.running(embedded) or local.start(embedded)


@pytest.fixture
def where(server: local.ServerState, monkeypatch: pytest.MonkeyPatch) -> str:
    """The options that lead to the server as if it were Google's."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "those of the next line")
    monkeypatch.setattr(google.auth, "default", lambda **_: (Credentials(token=server.token), None))  # type: ignore[no-untyped-call]
    return f"--target vertex --endpoint {server.url} --storage-endpoint {server.url} --project my-project"


@pytest.fixture
def lines(embedded: Path) -> Lines:
    return Lines(embedded)


@pytest.mark.parametrize("region", [None, "europe-west4"])
def test_vertex_has_googles_regional_endpoints(region: str | None) -> None:
    found = settings.resolve(target="vertex", project="my-project", region=region)
    target = choose(found)
    assert target.endpoint == f"https://{region or 'us-central1'}-aiplatform.googleapis.com"
    assert target.storage_url == "https://storage.googleapis.com"
    assert settings.default_bucket(found).value == f"my-project-vertex-{region or 'us-central1'}"


def test_vertex_names_what_is_wrong_with_the_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="target aiplatform has no endpoint 'local'"):
        settings.resolve(target="aiplatform", project="my-project", endpoint="local")
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # google-auth would ask the metadata server of a cloud machine
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(CredentialsError, match="Application Default Credentials not found") as caught:
        choose(settings.resolve(target="vertex", project="my-project")).connect()
    assert "target vertex" in caught.value.where
    with pytest.raises(OptionError, match="us-centrall1"):
        Lines(tmp_path)("list --target vertex --project my-project --region us-centrall1")


def test_vertex_in_the_cloud_requires_an_image_that_serves_the_model(
    lines: Lines, where: str, iris_export: Path
) -> None:
    line = f"deploy --model iris --origin {iris_export} {where}"
    with pytest.raises(ChecksFailed, match="is newer than in any prebuilt image") as caught:
        lines(line, TEST)
    assert "%aip_package --container" in caught.value.fix
    # The image of the user's choice is taken, here one that the embedded server serves by this Python.
    first = lines(f"{line} --image {IMAGE} --skip V03", TEST)
    assert (first.state, first.imageUri, first.trafficPercentage) == ("READY", IMAGE, 100)
    assert "identical to the local predictions" in lines.face.of(StepFinished)[-1].summary
    assert any(note.text.startswith("billed until it is undeployed") for note in lines.face.of(Note))
    second = lines(f"{line} --image {IMAGE} --skip V03 --machine-type n1-standard-4", TEST)
    assert (second.id, second.trafficPercentage) == ("v2", 0)
    assert any("no URL of one version" in event.reason for event in lines.face.of(StepSkipped))
    with pytest.raises(FailedPrecondition, match="no URL of one version"):
        lines(f"predict --model iris --version v2 {where}", "[[5.1, 3.5, 1.4, 0.2]]")
    lines(f"traffic iris v2=30 v1=70 {where}")
    assert lines(f"predict --model iris --version v2 {where}", "[[5.1, 3.5, 1.4, 0.2]]")["modelVersionId"] == "2"
    lines(f"list --model iris {where}")
    assert lines.face.shown[-1].startswith("billed until undeployed: iris/v1, iris/v2, at least 1460 node hours")
