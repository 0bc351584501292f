"""`remove` as a user types it, against the embedded server: what goes, what a version keeps, a stop and again."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recording_reporter import RecordingReporter
from resource_lines import Lines

from aip_magics.commands.common.options import SCRIPT_FORMATS
from aip_magics.commands.registry import get_command
from aip_magics.errors import Interrupted, OptionError, StorageError
from aip_magics.events import Event, Note, Progress, StepFinished
from aip_magics.render import html, text
from aip_magics.settings import resolve
from aip_magics.storage import GsUri, Removal, RemovalPlan, find_bucket, list_objects
from aip_magics.targets import choose

ROOT = str(Path(__file__).parents[2])
BUCKET = "gs://aip-local-aiplatform"


@pytest.fixture
def aip(deployed: Path) -> Lines:
    """Lines against a server with iris/v1, whose model is at gs://aip-local-aiplatform/iris/v1/."""
    return Lines(deployed)


@pytest.fixture
def bare(embedded: Path) -> Lines:
    """Lines against a server without models."""
    return Lines(embedded)


def objects_below(uri: str) -> set[str]:
    return set(list_objects(choose(resolve()).storage_client, GsUri.parse(uri)))


def fill(tmp_path: Path, aip: Lines, uri: str, count: int) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:04}").write_bytes(b"x" * 10)
    aip(f"upload {shlex.quote(str(folder))} {uri}")


class Meddling(RecordingReporter):
    """A reporter that does something at the first event of a kind."""

    def __init__(self, at: Callable[[Event], bool], act: Callable[[], Any]) -> None:
        super().__init__()
        self._at, self._act = at, act
        self._done = False

    def emit(self, event: Event) -> None:
        super().emit(event)
        if not self._done and self._at(event):
            self._done = True
            self._act()


def with_reporter(aip: Lines, reporter: RecordingReporter) -> Lines:
    other = Lines(aip.journal.data_dir)
    other.face = reporter
    other.context = dataclasses.replace(other.context, reporter=reporter)
    return other


def test_remove_command_deletes_and_returns_what_it_deleted(bare: Lines, tmp_path: Path) -> None:
    fill(tmp_path, bare, "gs://models-of-mine/iris/v1", 3)
    bare(f"upload {tmp_path / 'many'} gs://models-of-mine/iris/v10")
    plan = bare("remove gs://models-of-mine/iris/v1/ --dry-run")
    assert isinstance(plan, RemovalPlan)
    assert bare.face.shown[-1] is plan
    assert "3 objects to delete (30 B)" in text.of(plan)
    assert "gs://models-of-mine/iris/v1/0002" in html.of(plan)
    assert objects_below("gs://models-of-mine/iris/v1") == {"0000", "0001", "0002"}
    one = bare("remove gs://models-of-mine/iris/v1/0001 --yes")
    assert isinstance(one, Removal)
    assert (one.names, one.bytes) == (("gs://models-of-mine/iris/v1/0001",), 10)
    both = bare("remove gs://models-of-mine/iris/v1/ gs://models-of-mine/iris/v10/0000 gs://models-of-mine/no/ -y")
    assert both.count == 3
    assert "deleted 3 objects (30 B)" in text.of(both)
    assert Note("plan", "no objects found: gs://models-of-mine/no/", "warning") in bare.face.events
    assert objects_below("gs://models-of-mine/iris/v1") == set()
    assert objects_below("gs://models-of-mine/iris/v10") == {"0001", "0002"}
    entry = bare.journal.entries()[-1]
    assert (entry.verb, entry.outcome) == ("remove", "done")
    assert entry.what.startswith("gs://models-of-mine/iris/v1/ gs://")
    with pytest.raises(StorageError, match="no objects found"):
        bare("remove gs://models-of-mine/iris/v1/ --yes")


@pytest.mark.parametrize(
    ("line", "error", "told"),
    [
        ("remove gs://models-of-mine/x/", OptionError, "requires confirmation"),
        ("remove gs://models-of-mine/ --yes", OptionError, "all objects of the bucket"),
        ("remove gs://models-of-mine --yes", OptionError, "all objects of the bucket"),
        ("remove gs://models-of-mine --force", OptionError, "requires confirmation"),
        ("remove iris/v1 --yes", StorageError, "invalid Cloud Storage URI"),
        ("remove gs://Models/x --yes", StorageError, "invalid bucket name"),
        ("remove --yes", OptionError, "required"),
    ],
)
def test_remove_command_tells_mistakes_before_anything_is_sent(
    home: Path, line: str, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        Lines(home)(line)
    assert not (home / "server.json").exists()


def test_remove_command_deletes_a_bucket_of_objects_with_force_only(bare: Lines, tmp_path: Path) -> None:
    fill(tmp_path, bare, "gs://models-of-mine/a", 2)
    assert len(bare("remove gs://models-of-mine --dry-run").objects) == 2
    assert bare("remove gs://models-of-mine --yes --force").count == 2
    assert find_bucket(choose(resolve()).storage_client, "models-of-mine") is not None  # the bucket itself stays


def test_remove_command_keeps_what_a_version_uses(aip: Lines) -> None:
    plan = aip(f"remove {BUCKET}/iris/ --dry-run")
    assert plan.used_by == ("iris/v1",)
    assert "used by iris/v1" in text.of(plan)
    for uri in (f"{BUCKET}/iris/v1/", f"{BUCKET}/iris/v1/model.joblib", f"{BUCKET}/iris/"):
        with pytest.raises(OptionError, match="the objects are used by iris/v1") as caught:
            aip(f"remove {uri} --yes")
        assert caught.value.fix == "delete these versions first, or add --force"
    assert objects_below(f"{BUCKET}/iris") == {"v1/model.joblib"}
    assert aip(f"remove {BUCKET}/iris/v1/ --yes --force").count == 1
    assert objects_below(f"{BUCKET}/iris") == set()
    # The server serves its own copy.
    assert aip("predict --model iris --version v1", "- [5.1, 3.5, 1.4, 0.2]")["predictions"] == [0]


def test_remove_command_knows_the_versions_of_every_region(aip: Lines, iris_export: Path) -> None:
    aip(f"deploy v1 --model far --origin {iris_export} --region us-east1")
    with pytest.raises(OptionError, match=r"used by far/v1 \(us-east1\)"):
        aip(f"remove {BUCKET}/far/ --yes")
    with pytest.raises(OptionError, match=r"used by iris/v1 \(global\)"):
        aip(f"remove {BUCKET}/iris/ --yes --region us-east1")
    aip("delete --model far --all-versions --yes --region us-east1")
    assert aip(f"remove {BUCKET}/far/ --yes").count == 1


def test_remove_command_keeps_a_newer_object(bare: Lines, tmp_path: Path) -> None:
    fill(tmp_path, bare, "gs://models-of-mine/a", 2)
    (tmp_path / "many" / "0001").write_bytes(b"newer")

    def overwrite() -> None:
        Lines(bare.journal.data_dir)(f"upload {tmp_path / 'many' / '0001'} gs://models-of-mine/a")

    face = Meddling(lambda event: isinstance(event, StepFinished) and event.step == "plan", overwrite)
    removal = with_reporter(bare, face)("remove gs://models-of-mine/a/ --yes")
    assert removal.names == ("gs://models-of-mine/a/0000",)
    assert removal.replaced == ("gs://models-of-mine/a/0001",)
    kept = "kept: gs://models-of-mine/a/0001 (replaced after it was listed)"
    assert Note("remove", kept, "warning") in face.events
    assert kept in text.of(removal)
    assert get_command("remove").failed(removal)
    assert objects_below("gs://models-of-mine/a") == {"0001"}


def test_remove_command_is_stopped_and_resumed(bare: Lines, tmp_path: Path) -> None:
    uri = "gs://models-of-mine/a b/"
    fill(tmp_path, bare, f"'{uri}'", 1200)
    face = Meddling(
        lambda event: isinstance(event, Progress) and event.step == "remove" and event.done > 20,
        lambda: signal.raise_signal(signal.SIGINT),
    )
    with pytest.raises(Interrupted) as caught:
        with_reporter(bare, face)(f"remove '{uri}' --yes")
    found = re.fullmatch(r"interrupted by the user after (\d+) of 1,200 objects", caught.value.message)
    assert found
    assert 20 < int(found[1]) < 1200
    assert caught.value.fix == f"resume with: %aip_remove '{uri}' --yes"
    left = objects_below(uri)
    assert len(left) <= 1200 - int(found[1])
    removal = bare(caught.value.fix.partition("%aip_")[2])
    assert 0 < removal.count <= len(left)
    assert objects_below(uri) == set()
    (progress,) = bare.face.of(Progress)[-1:]
    assert (progress.done, progress.total, progress.unit) == (removal.count, removal.count, "objects")


@pytest.mark.parametrize("mode", ["--dry-run", "--show=curl"])
def test_remove_command_resumes_a_dry_run_as_a_dry_run(bare: Lines, tmp_path: Path, mode: str) -> None:
    fill(tmp_path, bare, "gs://models-of-mine/a", 1)
    uris = "gs://models-of-mine/a/ gs://models-of-mine/none/"
    face = Meddling(lambda event: isinstance(event, Note), lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(Interrupted) as caught:
        with_reporter(bare, face)(f"remove {uris} {mode}")
    assert caught.value.fix == f"resume with: %aip_remove {uris} {mode}"


def test_remove_command_shows_no_code_that_deletes_what_a_version_uses(aip: Lines) -> None:
    for form in SCRIPT_FORMATS:
        with pytest.raises(OptionError, match="the objects are used by iris/v1"):
            aip(f"remove {BUCKET}/iris/ --show {form}")
    assert f"{BUCKET}/iris/**" in aip(f"remove {BUCKET}/iris/ --show gcloud --force")


def test_remove_command_from_the_command_line(bare: Lines, tmp_path: Path) -> None:
    """Anonymous at another endpoint of Cloud Storage, whose versions nobody knows; the codes are those of a shell."""
    script = Path(__file__).parents[1] / "server" / "gcs" / "serve_gcs.py"
    environment = {**os.environ, "PYTHONPATH": ROOT, "NO_GCE_CHECK": "true", "HOME": str(tmp_path)}
    server = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "s")], stdout=subprocess.PIPE, env=environment
    )

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "aip_magics", *words, "--storage-endpoint", url]
        return subprocess.run(command, capture_output=True, text=True, env=environment)

    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        (tmp_path / "a").write_bytes(b"12345")
        assert run("upload", str(tmp_path / "a"), "gs://models-of-mine/v1").returncode == 0
        done = run("remove", "gs://models-of-mine/v1", "--yes")
        assert (done.returncode, "add a slash" in done.stderr) == (1, True), done.stderr
        assert run("remove", "gs://models-of-mine/v1/").returncode == 2
        # An API that does not answer may have versions that use the object.
        done = run(
            "remove", "gs://models-of-mine/v1/", "--yes", "--project=my-project", "--endpoint=http://127.0.0.1:1"
        )
        assert done.returncode == 2
        assert "could not check which versions use the objects: Application Default Credentials" in done.stderr
        assert "add --force to delete the objects without this check" in done.stderr
        done = run("remove", "gs://models-of-mine/v1/", "--yes", "--format", "json")
        assert done.returncode == 0, done.stderr
        assert "--endpoint is not set" in done.stderr
        assert {key: json.loads(done.stdout)[key] for key in ("count", "bytes", "replaced")} == {
            "count": 1,
            "bytes": 5,
            "replaced": [],
        }
    finally:
        server.terminate()
        server.wait(20)
        server.stdout.close() if server.stdout else None
