"""Bytes go up and come down the same, whatever is in them, however many send them."""

from __future__ import annotations

import functools
import random
import subprocess
import sys
import threading
import unicodedata
from pathlib import Path

import pytest
from storage_fixtures import MakeFiles, Orphans

from aip_magics.errors import StorageError
from aip_magics.storage import (
    GsUri,
    ProgressSnapshot,
    StorageClient,
    UploadedFile,
    UploadPlan,
    download_directory,
    plan_upload,
    upload,
)
from aip_magics.storage.checksums import file_crc32c

MI = 1 << 20


@functools.cache
def big_bytes() -> bytes:
    """In parts; read-only. Created when the first test needs them."""
    return random.Random(1).randbytes(70 * MI + 12_345)


def send_and_fetch(
    client: StorageClient, destination: GsUri, contents: dict[str, bytes], files: MakeFiles, to: Path
) -> None:
    made = plan_upload(client, files(contents), destination)
    stored = upload(client, made)
    assert [one.name for one in stored] == sorted(contents)
    assert [one.size for one in stored] == [len(contents[name]) for name in sorted(contents)]
    fetched = download_directory(client, destination, to)
    assert {one.name: one.path.read_bytes() for one in fetched} == contents
    assert [(one.name, one.generation, one.crc32c) for one in fetched] == [
        (one.name, one.generation, one.crc32c) for one in stored
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r",
        b"\n",
        b"\r\n",
        b"a\r\nb\r",
        b"\r\n--",
        b"\x85\xff\x00",
        b"--" * 1000,
        bytes(300_000),
        b"\r" * 300_000,
    ],
    ids=range(10),
)
def test_upload_of_any_content(
    client: StorageClient, destination: GsUri, files: MakeFiles, tmp_path: Path, content: bytes
) -> None:
    send_and_fetch(client, destination, {"file": content}, files, tmp_path / "back")


@pytest.mark.parametrize("size", [256 * 1024 + 1, 8 * MI, 8 * MI + 1, 20 * MI])
def test_upload_of_any_size(
    client: StorageClient, destination: GsUri, files: MakeFiles, tmp_path: Path, size: int
) -> None:
    content = random.Random(size).randbytes(size)
    send_and_fetch(client, destination, {"file": content}, files, tmp_path / "back")


def test_upload_of_a_big_file_goes_in_parts(
    client: StorageClient, destination: GsUri, files: MakeFiles, tmp_path: Path, orphans: Orphans
) -> None:
    send_and_fetch(client, destination, {"big": big_bytes(), "small": b"1"}, files, tmp_path / "back")
    assert orphans("big") == []
    # Its strong hash is known though no single request had all of it: a new version copies it.
    copying = plan_upload(client, files({"big": big_bytes()}), destination.child("v2"), copy_from=destination)
    assert [copy.name for copy in copying.copy] == ["big"]


def test_upload_of_any_name(client: StorageClient, destination: GsUri, files: MakeFiles, tmp_path: Path) -> None:
    names = ["with space", "a#b?c%2F&d+e", "한국어/모델.bin", "日本", "'quoted\"", "emoji-🦊", "a;b=c", "<xml>&amp;"]
    names += [unicodedata.normalize(form, "é-ö-한") for form in ("NFC", "NFD")]
    send_and_fetch(client, destination, {name: name.encode() for name in names}, files, tmp_path / "back")


def test_upload_of_the_longest_name(
    client: StorageClient, destination: GsUri, files: MakeFiles, tmp_path: Path
) -> None:
    room = 1024 - len(destination.prefix)
    name = "/".join(["d" * 200] * 4) + "/"
    name += "ö" * ((room - len(name)) // 2)
    name += "x" * (room - len(name.encode()))
    contents = {name: b"1"}
    send_and_fetch(client, destination, contents, files, tmp_path / "b")


def test_upload_of_names_in_the_xml_api(
    client: StorageClient, destination: GsUri, files: MakeFiles, orphans: Orphans
) -> None:
    """Parts go another way than small files, with other rules for what is escaped."""
    name = "a b/<é>&'%2F+한#?.bin"
    made = plan_upload(client, files({name: big_bytes()}), destination)
    (stored,) = upload(client, made)
    assert stored.crc32c == file_crc32c(made.send[0].path)
    assert orphans(name) == []


def race(client: StorageClient, plans: list[UploadPlan]) -> list[tuple[UploadedFile, ...] | StorageError]:
    """Carry the plans out at the same time."""
    results: list[tuple[UploadedFile, ...] | StorageError] = []
    start = threading.Barrier(len(plans))

    def one(made: UploadPlan) -> None:
        start.wait()
        try:
            results.append(upload(StorageClient(client.endpoint), made))
        except StorageError as error:
            results.append(error)

    threads = [threading.Thread(target=one, args=(made,)) for made in plans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


SIZES = {"small": 1000, "stream": 9 * MI, "parts": 70 * MI}


@pytest.mark.parametrize("size", SIZES.values(), ids=list(SIZES))
def test_upload_twice_at_once_of_the_same(
    client: StorageClient, destination: GsUri, files: MakeFiles, size: int, orphans: Orphans
) -> None:
    made = plan_upload(client, files({"file": big_bytes()[:size]}), destination)
    results = race(client, [made, made, made])
    assert all(isinstance(result, tuple) for result in results), results
    assert plan_upload(client, made.send, destination).unchanged
    assert orphans("file") == []


@pytest.mark.parametrize("size", SIZES.values(), ids=list(SIZES))
def test_upload_twice_at_once_of_something_else(
    client: StorageClient, destination: GsUri, files: MakeFiles, tmp_path: Path, size: int, orphans: Orphans
) -> None:
    (one,) = files({"one": b"1" + big_bytes()[1:size]})
    (two,) = files({"two": b"2" + big_bytes()[1:size]})
    plans = [
        plan_upload(client, [type(one)("file", file.path, file.size, file.mtime_ns)], destination)
        for file in (one, two)
    ]
    results = race(client, plans)
    lost = [result for result in results if isinstance(result, StorageError)]
    assert len(lost) == 1
    assert "412" in lost[0].message
    assert lost[0].where == f"{destination}file"
    (won,) = (result for result in results if isinstance(result, tuple))
    (fetched,) = download_directory(client, f"{destination}file", tmp_path / "back")
    assert fetched.generation == won[0].generation
    assert fetched.path.read_bytes() in (one.path.read_bytes(), two.path.read_bytes())
    assert orphans("file") == []


def test_upload_twice_at_once_of_many_small_files(
    client: StorageClient, destination: GsUri, files: MakeFiles, tmp_path: Path
) -> None:
    contents = {f"f{number:02}": bytes([number]) * 1000 for number in range(80)}
    made = plan_upload(client, files(contents), destination)
    results = race(client, [made, made, made])
    assert all(isinstance(result, tuple) and len(result) == 80 for result in results), results
    assert {
        one.name: one.path.read_bytes() for one in download_directory(client, destination, tmp_path / "back")
    } == contents


@pytest.mark.parametrize("size", SIZES.values(), ids=list(SIZES))
def test_upload_of_a_file_that_changed_after_the_plan(
    client: StorageClient, destination: GsUri, files: MakeFiles, size: int
) -> None:
    (file,) = files({"file": bytes(size)})
    made = plan_upload(client, [file], destination)
    file.path.write_bytes(b"shorter")
    with pytest.raises(StorageError, match="changed") as caught:
        upload(client, made)
    assert caught.value.where == str(file.path)
    assert plan_upload(client, [], destination).remote == {}


def test_upload_progress_ends_with_everything(client: StorageClient, destination: GsUri, files: MakeFiles) -> None:
    made = plan_upload(client, files({"big": big_bytes(), "mid": big_bytes()[: 9 * MI], "small": b"1"}), destination)
    shown: list[ProgressSnapshot] = []
    threads: set[str] = set()

    def progress(now: ProgressSnapshot) -> None:
        shown.append(now)
        threads.add(threading.current_thread().name)

    upload(client, made, progress=progress)
    assert threads == {threading.current_thread().name}
    assert (shown[-1].done, shown[-1].files_done) == (shown[-1].total, shown[-1].files_total)
    assert shown[-1].total == made.bytes_to_send
    assert any(0 < now.done < now.total for now in shown)
    assert any(now.rate > 0 and now.seconds_left is not None for now in shown)


def test_upload_raises_what_progress_raises(client: StorageClient, destination: GsUri, files: MakeFiles) -> None:
    def broken(now: ProgressSnapshot) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        upload(client, plan_upload(client, files({"a": b"1"}), destination), progress=broken)


def test_upload_memory_stays_small(endpoint: str, destination: GsUri, tmp_path: Path) -> None:
    """64 threads, files of every kind: at most 100 MB, of which 30 are Python's."""
    if not Path("/proc/self/status").exists():
        pytest.skip("the peak is read from /proc")
    source = tmp_path / "source"
    source.mkdir()
    for number, size in enumerate([150 * MI, *[20 * MI] * 4, *[3 * MI] * 20, *[200_000] * 100]):
        with (source / f"f{number}").open("wb") as file:
            file.truncate(size)
    script = f"""
from pathlib import Path
from aip_magics.artifacts import inspect_model_dir
from aip_magics.storage import GsUri, StorageClient, plan_upload, download_directory, upload
from aip_magics.storage.thread_pool import ConcurrencyController
begin = ConcurrencyController.__init__
ConcurrencyController.__init__ = lambda self, clock, initial=8, maximum=64: begin(self, clock, maximum, maximum)
client, destination = StorageClient({endpoint!r}), GsUri.parse({str(destination)!r})
upload(client, plan_upload(client, inspect_model_dir(Path({str(source)!r})).files, destination))
download_directory(client, destination, Path({str(tmp_path / "back")!r}))
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.stderr == ""
    assert int(done.stdout) < 100_000  # kB
