"""Versions stay apart: each in its own directory, without what was removed; packages under their content, beside."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from custom_models import sdist

from aip_magics import deploy
from aip_magics.deploy import Deployment
from aip_magics.errors import FailedPrecondition, StorageError
from aip_magics.events import Event, StepFinished
from aip_magics.settings import resolve
from aip_magics.spec import Model, Version
from aip_magics.storage import GsUri, create_bucket, find_bucket, list_objects
from aip_magics.targets import Target, choose

ROOT = str(Path(__file__).parents[2])


@pytest.fixture
def target(embedded: Path) -> Target:
    return choose(resolve())


@pytest.fixture
def export(iris_export: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "iris"
    shutil.copytree(iris_export, folder)
    (folder / "notes.txt").write_text("of the first version")
    return folder


def run(target: Target, export: Path | str | None, **fields: Any) -> tuple[Version, list[Event]]:
    events: list[Event] = []
    replace = fields.pop("replace", False)
    region = fields.pop("region", None)
    model = Model(name="iris", regions=(region,) if region else None)
    made = deploy.run(Deployment(str(export), model, Version(**fields), replace=replace), target, events.append)
    assert made.version is not None
    return made.version, events


def names(target: Target, uri: str | None) -> set[str]:
    return set(list_objects(target.storage_client, GsUri.parse(uri or "")))


def summary(events: list[Event], step: str) -> str:
    return next(event.summary for event in events if isinstance(event, StepFinished) and event.step == step)


def test_deployment_uri_is_a_directory_of_its_own_for_each_version(target: Target, export: Path) -> None:
    first, _ = run(target, export)
    assert first.deploymentUri == "gs://aip-local-aiplatform/iris/v1/"
    (export / "notes.txt").unlink()
    (export / "more.txt").write_text("of the second version")
    second, events = run(target, export, name="v2")
    assert second.deploymentUri == "gs://aip-local-aiplatform/iris/v2/"
    assert names(target, first.deploymentUri) == {"model.joblib", "notes.txt"}
    assert names(target, second.deploymentUri) == {"model.joblib", "more.txt"}
    assert "1 copied from another version" in summary(events, "upload")


def test_deployment_uri_of_a_version_created_anew_has_no_removed_files(target: Target, export: Path) -> None:
    version, _ = run(target, export, name="v1")
    (export / "notes.txt").unlink()
    (export / "more.txt").write_text("more")
    again, _ = run(target, export, name="v1", replace=True)
    assert again.deploymentUri == version.deploymentUri
    assert names(target, again.deploymentUri) == {"model.joblib", "more.txt"}


def test_deployment_uri_of_the_default_version_of_several_is_kept_until_it_can_be_replaced(
    target: Target, export: Path
) -> None:
    version, _ = run(target, export, name="v1")
    run(target, export, name="v2")
    (export / "more.txt").write_text("more")
    with pytest.raises(FailedPrecondition, match="v1 is the default version of model iris") as caught:
        run(target, export, name="v1", replace=True)
    assert caught.value.fix == "run %aip_set_default v2 --model iris first"
    assert names(target, version.deploymentUri) == {"model.joblib", "notes.txt"}
    target.client.set_default("iris", "v2")
    again, _ = run(target, export, name="v1", replace=True)
    assert again.createTime != version.createTime or again.etag != version.etag
    assert names(target, again.deploymentUri) == {"model.joblib", "notes.txt", "more.txt"}


@pytest.mark.parametrize("where", [{}, {"target": "vertex", "endpoint": "local"}])
def test_replaced_version_is_kept_without_files_to_replace_it(embedded: Path, export: Path, where: Any) -> None:
    target = choose(resolve(**where))
    version, _ = run(target, export, name="v1")
    bucket = GsUri.parse(version.deploymentUri or "").bucket
    routine = ("gs://no-such-bucket/code-1.tar.gz", f"gs://{bucket}/packages/code-1.tar.gz")
    for origin in ("gs://no-such-bucket/iris", f"gs://{bucket}/no-such-directory/"):
        with pytest.raises(StorageError, match="no objects found") as caught:
            run(target, origin, name="v1", replace=True, framework="SCIKIT_LEARN")
        assert caught.value.where == origin
    for package in routine:
        fields = {"packageUris": (package,), "predictionClass": "code.Model"}
        with pytest.raises(StorageError, match="no objects found") as caught:
            run(target, version.deploymentUri, name="v1", replace=True, **fields)
        assert caught.value.where == package
    assert [one.state for one in target.client.list_versions("iris")] == ["READY"]


def test_package_uploads_lie_beside_under_their_content(target: Target, export: Path, tmp_path: Path) -> None:
    one = sdist(tmp_path / "one", "own-code", own_code="X = 1\n")
    two = sdist(tmp_path / "two", "own-code", own_code="X = 2\n")
    assert one.name == two.name
    found = [
        run(target, export, name=name, packageUris=(str(package),))[0].packageUris
        for name, package in (("v1", one), ("v2", two), ("v3", one))
    ]
    assert found[0] == found[2] != found[1]
    lie = names(target, "gs://aip-local-aiplatform/packages")
    assert lie == {(uri or ("",))[0].partition("/packages/")[2] for uri in found}
    assert len(lie) == 2


def test_upload_step_creates_the_bucket_in_the_region_of_the_model(target: Target, export: Path) -> None:
    _, events = run(target, export, region="europe-west1")
    assert summary(events, "bucket") == "created bucket gs://aip-local-aiplatform (europe-west1)"
    (export / "notes.txt").write_text("another")
    _, events = run(target, export, name="v2", region="europe-west1")
    assert summary(events, "bucket") == "found bucket gs://aip-local-aiplatform (europe-west1)"


def test_upload_step_uses_an_existing_bucket(target: Target, export: Path) -> None:
    create_bucket(target.storage_client, "aip-local-aiplatform", project=target.project, location="us-east4")
    run(target, export)
    bucket = find_bucket(target.storage_client, "aip-local-aiplatform")
    assert bucket is not None
    assert bucket.location == "us-east4"


def test_deploy_changes_no_variable_and_loads_no_storage_client(embedded: Path, export: Path) -> None:
    """The client costs half a second, and what redirects it would redirect the user's other libraries."""
    script = """
import os, sys
from aip_magics import deploy
from aip_magics.deploy import Deployment
from aip_magics.errors import FailedPrecondition, StorageError
from aip_magics.settings import resolve
from aip_magics.spec import Model, Version
from aip_magics.targets import choose
before = dict(os.environ)
for name in ("v1", "v1", "v2"):
    deploy.run(Deployment(sys.argv[1], Model(name="iris"), Version(name=name)), choose(resolve()), lambda event: None)
assert dict(os.environ) == before, set(os.environ.items()) ^ set(before.items())
heavy = {"google.cloud.storage", "google.api_core"} & set(sys.modules)
assert not heavy, heavy
"""
    command = [sys.executable, "-c", script, str(export)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ROOT})
    assert done.returncode == 0, done.stderr
