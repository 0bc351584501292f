"""upload and pull as a user runs them: against the embedded server, and any other endpoint of Cloud Storage."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from recording_reporter import RecordingReporter

from aip_magics.commands.common.command import Context
from aip_magics.commands.registry import build_parser, get_command
from aip_magics.errors import Interrupted, ModelDirError, OptionError, StorageError
from aip_magics.events import Event, Failed, Note, Progress, StepFinished
from aip_magics.settings import resolve
from aip_magics.storage import GsUri, find_bucket, list_objects
from aip_magics.targets import choose

ROOT = str(Path(__file__).parents[2])


@pytest.fixture(autouse=True)
def environment_stays(embedded: Path) -> Iterator[None]:
    """No command may redirect the user's other libraries."""
    before = dict(os.environ)
    yield
    after = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    assert after == {name: value for name, value in before.items() if name != "PYTEST_CURRENT_TEST"}


@pytest.fixture
def heard() -> RecordingReporter:
    return RecordingReporter()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "export"
    (folder / "assets").mkdir(parents=True)
    (folder / "model.bin").write_bytes(b"model" * 1000)
    (folder / "assets" / "단어 words.txt").write_bytes(b"\r\n")
    (folder / ".hidden").write_bytes(b"x")
    return folder


def run(verb: str, heard: RecordingReporter, *words: str) -> Any:
    command = get_command(verb)
    return command.run(build_parser(command, verb).parse(list(words)), None, Context(heard))


def there(uri: str) -> dict[str, int]:
    return {
        name: remote.size for name, remote in list_objects(choose(resolve()).storage_client, GsUri.parse(uri)).items()
    }


def test_transfer_commands_upload_and_pull_again(heard: RecordingReporter, folder: Path, tmp_path: Path) -> None:
    stored = run("upload", heard, str(folder), "gs://models-of-mine/iris/v1", "--region", "europe-west4")
    assert [(each.name, each.size, each.kind) for each in stored] == [
        ("assets/단어 words.txt", 2, "uploaded"),
        ("model.bin", 5000, "uploaded"),
    ]
    assert all(each.generation > 0 and len(each.crc32c) == 8 for each in stored)
    assert heard.shown == [stored]
    bucket = find_bucket(choose(resolve()).storage_client, "models-of-mine")
    assert bucket is not None
    assert bucket.location == "europe-west4"
    assert [note.text for note in heard.of(Note)] == ["skipped: .hidden (hidden)"]
    (progress,) = heard.of(Progress)[-1:]
    assert (progress.done, progress.total, progress.unit) == (5002, 5002, "bytes")
    fetched = run("pull", heard, "gs://models-of-mine/iris/v1", str(tmp_path / "new"))
    assert [each.name for each in fetched] == [each.name for each in stored]
    for each in fetched:
        assert each.path.read_bytes() == (folder / each.name).read_bytes()


def test_upload_command_sends_only_what_differs(heard: RecordingReporter, folder: Path) -> None:
    uri = "gs://models-of-mine/iris/v1"
    first = run("upload", heard, str(folder), uri)
    again = run("upload", heard, str(folder), uri)
    assert [(each.kind, each.generation) for each in again] == [("kept", each.generation) for each in first]
    assert heard.of(StepFinished)[-1].summary == "nothing to do: all files are up to date"
    (folder / "model.bin").write_bytes(b"another")
    (folder / "assets" / "단어 words.txt").unlink()
    kinds = {each.name: each.kind for each in run("upload", heard, str(folder), uri)}
    assert kinds == {"model.bin": "uploaded"}
    assert there(uri) == {"model.bin": 7, "assets/단어 words.txt": 2}
    run("upload", heard, str(folder), uri, "--delete-extra")
    assert there(uri) == {"model.bin": 7}
    assert heard.of(Note)[-1].text == "will be deleted: assets/단어 words.txt"


def test_upload_command_dry_run_sends_nothing(heard: RecordingReporter, folder: Path) -> None:
    plan = run("upload", heard, str(folder), "gs://models-of-mine/iris/v1", "--dry-run")
    assert [file.name for file in plan.send] == ["assets/단어 words.txt", "model.bin"]
    assert heard.shown == [plan]
    assert heard.of(StepFinished)[-1].summary == "2 files to upload (5.0 kB)"
    assert find_bucket(choose(resolve()).storage_client, "models-of-mine") is None


def test_upload_command_sends_one_file(heard: RecordingReporter, folder: Path, tmp_path: Path) -> None:
    (stored,) = run("upload", heard, str(folder / "model.bin"), "gs://models-of-mine/x")
    assert stored.uri == "gs://models-of-mine/x/model.bin"
    (fetched,) = run("pull", heard, "gs://models-of-mine/x/model.bin", str(tmp_path / "new"))
    assert fetched.path.read_bytes() == (folder / "model.bin").read_bytes()


def test_upload_command_creates_the_bucket_in_the_right_region(heard: RecordingReporter, folder: Path) -> None:
    run("upload", heard, str(folder), "gs://models-of-mine/a", "--region", "us-east1")
    run("upload", heard, str(folder), "gs://models-of-mine/b", "--region", "us-west1")
    assert Note("plan", "the bucket is in us-east1, not in us-west1", "warning") in heard.events


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ModelDirError, ["upload", "nowhere", "gs://models-of-mine/x"]),
        (StorageError, ["upload", ".", "models-of-mine/x"]),
        (StorageError, ["upload", ".", "gs://Models/x"]),
        (OptionError, ["upload", "."]),
        (StorageError, ["pull", "gs://models-of-mine/nothing", "new"]),
    ],
)
def test_transfer_commands_tell_mistakes(
    heard: RecordingReporter, folder: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception], words: list[str]
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(error):
        run(words[0], heard, *words[1:])


def test_upload_command_is_stopped_by_the_user(heard: RecordingReporter, folder: Path) -> None:
    (folder / "big").write_bytes(os.urandom(1 << 20) * 40)
    uri = "gs://models-of-mine/iris/v 1"
    stopped = [0.0]

    def stop() -> None:
        stopped[0] = time.monotonic()
        signal.raise_signal(signal.SIGINT)

    class Impatient(RecordingReporter):
        def emit(self, event: Event) -> None:
            super().emit(event)
            if isinstance(event, Progress) and event.done > 1 << 20 and not stopped[0]:
                stop()

    face = Impatient()
    with pytest.raises(Interrupted) as caught:
        run("upload", face, str(folder), uri, "--delete-extra")
    assert time.monotonic() - stopped[0] < 1.0  # 0.2 on a quiet machine
    assert caught.value.fix == f"resume with: %aip_upload {folder} '{uri}' --delete-extra"
    assert [event.error for event in face.of(Failed)] == [caught.value]
    stored = run("upload", heard, str(folder), uri, "--delete-extra")
    assert there(uri)["big"] == 40 << 20
    assert {each.name for each in stored} == {"big", "model.bin", "assets/단어 words.txt"}


def aip(*words: str, home: Path) -> tuple[Any, str]:
    """What the command line answers as JSON, and what it tells meanwhile, for a user without credentials."""
    # Where google-auth finds none it would ask the metadata server of a cloud machine.
    environment = {**os.environ, "PYTHONPATH": ROOT, "NO_GCE_CHECK": "true", "HOME": str(home)}
    command = [sys.executable, "-m", "aip_magics", *words, "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def test_transfer_commands_from_the_command_line(folder: Path, tmp_path: Path) -> None:
    stored, told = aip("upload", str(folder), "gs://models-of-mine/v1", home=tmp_path)
    assert all(set(each) >= {"name", "generation", "crc32c", "size"} for each in stored)
    assert "2 files to upload (5.0 kB)" in told
    planned, _ = aip("upload", str(folder), "gs://models-of-mine/v2", "--dry-run", home=tmp_path)
    assert {file["name"]: file["kind"] for file in planned["files"]} == {
        "model.bin": "upload",
        "assets/단어 words.txt": "upload",
    }
    fetched, _ = aip("pull", "gs://models-of-mine/v1", str(tmp_path / "new"), home=tmp_path)
    assert len(fetched) == 2


def test_transfer_commands_at_another_endpoint(folder: Path, tmp_path: Path) -> None:
    """Anonymous, without a project: what a compatible endpoint asks for is its own business."""
    script = Path(__file__).parents[1] / "server" / "gcs" / "serve_gcs.py"
    environment = {**os.environ, "PYTHONPATH": ROOT}
    server = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "s")], stdout=subprocess.PIPE, env=environment
    )
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        where = ["gs://models-of-mine/v1", "--storage-endpoint", url]
        stored, _ = aip("upload", str(folder), *where, home=tmp_path)
        assert [each["kind"] for each in stored] == ["uploaded", "uploaded"]
        fetched, _ = aip(
            "pull", "gs://models-of-mine/v1", str(tmp_path / "new"), "--storage-endpoint", url, home=tmp_path
        )
        assert Path(fetched[1]["path"]).read_bytes() == (folder / "model.bin").read_bytes()
    finally:
        server.terminate()
        server.wait(20)
        server.stdout.close() if server.stdout else None
