"""Every fault on every path of the engine ends in identical bytes or in an error that names the file.

A path is one way bytes or facts take (one POST, a resumable stream, parts, a listing, a copy, ranges); a fault is met
at each kind of request that the path makes. What passes must end well; what does not pass must say so.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faults_server import FaultServer

from aip_magics.errors import AipError, CredentialsError, StorageError
from aip_magics.storage import GsUri, RetryPolicy, StorageClient, UploadPlan, download_directory, plan_upload, upload

BUCKET = "bucket"
MANY = 32
QUICK = RetryPolicy(
    initial_delay=0.01, max_delay=0.1, give_up_after=20.0, read_timeout=10.0, connect_timeout=10.0, stall_timeout=10.0
)
KI, MI = 1 << 10, 1 << 20
_numbers = itertools.count()


@dataclasses.dataclass(frozen=True)
class LocalFile:
    name: str
    path: Path
    size: int


@dataclasses.dataclass
class Case:
    """One run against one prefix: what is sent, and what the server then has."""

    server: FaultServer
    client: StorageClient
    prefix: str
    folder: Path

    def file(self, size: int, name: str = "model.bin") -> LocalFile:
        path = self.folder / name
        path.write_bytes(random.Random(size).randbytes(size))
        return LocalFile(name, path, size)

    def plan(self, *files: LocalFile, **more: object) -> UploadPlan:
        return plan_upload(self.client, files, GsUri(BUCKET, self.prefix), **more)  # type: ignore[arg-type]

    def stored(self, name: str = "model.bin") -> bytes:
        return content(self.server, self.prefix + name)


def content(server: FaultServer, name: str) -> bytes:
    return server.store.path(server.store.get(BUCKET, name)).read_bytes()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultServer]:
    server = FaultServer(tmp_path_factory.mktemp("faulty"))
    server.store.buckets.create("demo", {"name": BUCKET})
    yield server
    server.stop()


@pytest.fixture
def new_case(server: FaultServer, tmp_path: Path) -> Iterator[Callable[..., Case]]:
    cases: list[Case] = []

    def new(policy: RetryPolicy = QUICK) -> Case:
        server.faults.everywhere = ""
        server.faults.asked.clear()
        client = StorageClient(server.url, policy=policy)
        cases.append(Case(server, client, f"case-{next(_numbers)}/", tmp_path))
        return cases[-1]

    yield new
    for case in cases:
        case.client.close()


@pytest.fixture(autouse=True)
def three_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files above 9 MiB go in parts, as those above 64 MiB do: the matrix shall not move gigabytes."""
    monkeypatch.setattr(sys.modules["aip_magics.storage.upload.upload_run"], "MULTIPART_MIN_BYTES", 9 * MI)


# The paths. Each prepares what it needs without a fault, plans the faults, runs, and tells whether all is as it should.


def _send(size: int) -> Callable[[Case, Callable[[], None]], None]:
    def path(case: Case, begin: Callable[[], None]) -> None:
        file = case.file(size)
        made = case.plan(file)
        begin()
        (stored,) = upload(case.client, made)
        assert case.stored() == file.path.read_bytes()
        about = case.server.store.get(BUCKET, case.prefix + file.name)
        assert (stored.generation, stored.crc32c, stored.size) == (about.generation, about.crc32c, about.size)
        assert case.server.store.multipart_uploads.list_unfinished(BUCKET, case.prefix) == []

    return path


def _send_many(case: Case, begin: Callable[[], None]) -> None:
    """Many small files, one insert request each."""
    files = [case.file(size, f"f{size}") for size in (0, 256 * KI, *range(2000, 2000 + MANY))]
    made = case.plan(*files)
    begin()
    stored = upload(case.client, made)
    assert [each.name for each in stored] == sorted(file.name for file in files)
    assert [case.stored(file.name) for file in files] == [file.path.read_bytes() for file in files]


def _listing(case: Case, begin: Callable[[], None]) -> None:
    upload(case.client, case.plan(case.file(10 * KI)))
    begin()
    made = case.plan(case.file(10 * KI), case.file(5, "new"))
    assert [file.name for file in made.send] == ["new"]
    assert [file.name for file in made.keep] == ["model.bin"]


def _copy(case: Case, begin: Callable[[], None]) -> None:
    file = case.file(300 * KI)
    upload(case.client, case.plan(file))
    to = dataclasses.replace(case, prefix=case.prefix + "v2/")
    made = plan_upload(case.client, [file], GsUri(BUCKET, to.prefix), copy_from=GsUri(BUCKET, case.prefix))
    assert [copy.name for copy in made.copy] == ["model.bin"]
    begin()
    upload(case.client, made)
    assert to.stored() == file.path.read_bytes()


def _remove(case: Case, begin: Callable[[], None]) -> None:
    upload(case.client, case.plan(case.file(5, "old")))
    made = case.plan(case.file(5, "new"), delete_extra=True)
    begin()
    upload(case.client, made)
    assert list(plan_upload(case.client, [], GsUri(BUCKET, case.prefix)).remote) == ["new"]


def _pull(size: int) -> Callable[[Case, Callable[[], None]], None]:
    def path(case: Case, begin: Callable[[], None]) -> None:
        file = case.file(size)
        upload(case.client, case.plan(file))
        begin()
        to = case.folder / "pulled"
        try:
            download_directory(case.client, GsUri(BUCKET, case.prefix), to)
        finally:  # whole, or not there; and nothing half-done beside it
            left = [path for path in to.rglob("*") if path.is_file()]
            assert left in ([], [to / file.name])
            assert all(path.read_bytes() == file.path.read_bytes() for path in left)
        assert left

    return path


INSERT, PARTS, MEDIA = "storage.objects.insert", "storage.multipart", "storage.objects.get/media"
PATHS: dict[str, tuple[Callable[[Case, Callable[[], None]], None], tuple[str, ...]]] = {
    "small": (_send(300 * KI), (f"{INSERT}/multipart",)),
    "many": (_send_many, (f"{INSERT}/multipart",)),
    "stream": (_send(8 * MI + 300 * KI), (f"{INSERT}/start", f"{INSERT}/resume")),
    "parts": (_send(17 * MI), (f"{PARTS}/start", f"{PARTS}/part", f"{PARTS}/complete", "storage.objects.get/metadata")),
    "listing": (_listing, ("storage.objects.list",)),
    "rewrite": (_copy, ("storage.objects.rewrite",)),
    "remove": (_remove, ("storage.objects.delete",)),
    "one range": (_pull(300 * KI), (MEDIA,)),
    "ranges": (_pull(17 * MI), (MEDIA,)),
}
PASSING = (
    "return-503",
    "return-429",
    "return-408",
    "return-500",
    "return-reset-connection",
    "lose-answer",
    "return-broken-stream",
)
WITH_BODY = (
    "return-503-after-256K",
    "return-broken-stream-final-chunk-after-262145B",
    "corrupt-upload",
    "drip-4096K",
)
WITH_CONTENT = ("return-broken-stream-after-128K", "return-corrupted-data", "drip-4096K")
BODIES = (f"{INSERT}/multipart", f"{INSERT}/resume", f"{PARTS}/part")
MATRIX = [
    (path, operation, fault)
    for path, (_, operations) in PATHS.items()
    for operation in operations
    for fault in (
        *PASSING,
        *(WITH_BODY if operation in BODIES else ()),
        *(WITH_CONTENT if operation == MEDIA else ()),
    )
]
# What is damaged on the way down may end in an error instead: the whole is only known when all has come.
MAY_FAIL = {"return-corrupted-data"}


@pytest.mark.parametrize(("path", "operation", "fault"), MATRIX)
def test_transfer_with_a_retryable_fault_ends_in_identical_bytes(
    new_case: Callable[..., Case], path: str, operation: str, fault: str
) -> None:
    case = new_case()
    error = run(case, path, operation, fault)
    if error is not None:
        assert fault in MAY_FAIL, error
        assert case.prefix in error.where
    assert case.server.faults.completed(case.server.faults.everywhere), case.server.faults.asked


@pytest.mark.parametrize(
    ("path", "operation"), [(path, operation) for path, (_, operations) in PATHS.items() for operation in operations]
)
@pytest.mark.parametrize("code", [400, 401, 403])
def test_transfer_with_a_permanent_fault_is_told_at_once(
    new_case: Callable[..., Case], path: str, operation: str, code: int
) -> None:
    case = new_case()
    begun = time.monotonic()
    error = run(case, path, operation, *[f"return-{code}"] * 500)
    if error is None:
        # There is another way to the same end: a copy that is refused is sent, parts go as a stream.
        assert (path, operation) in {("rewrite", "storage.objects.rewrite"), ("parts", f"{PARTS}/start")}
    else:
        assert str(code) in error.message or isinstance(error, CredentialsError)
        assert case.prefix in error.where
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize(
    ("path", "operation"), [(path, operation) for path, (_, operations) in PATHS.items() for operation in operations]
)
@pytest.mark.parametrize("fault", ["return-503", "return-reset-connection"])
def test_transfer_with_an_endless_fault_ends_in_an_error(
    new_case: Callable[..., Case], path: str, operation: str, fault: str
) -> None:
    case = new_case(dataclasses.replace(QUICK, give_up_after=0.3))
    error = run(case, path, operation, *[fault] * 5000)
    assert error is not None
    assert case.prefix in error.where
    assert "run the command again later to resume" in error.fix
    assert "attempt" in error.message


def test_transfer_survives_a_burst_of_refusals(new_case: Callable[..., Case]) -> None:
    case = new_case()
    files = [case.file(1000 + number, f"f{number}") for number in range(40)]
    made = case.plan(*files)
    meet(case, INSERT, *["return-429"] * 60)
    upload(case.client, made)
    assert [case.stored(file.name) for file in files] == [file.path.read_bytes() for file in files]


def test_transfer_waits_as_long_as_the_server_says(new_case: Callable[..., Case]) -> None:
    case = new_case()
    made = case.plan(case.file(5))
    meet(case, INSERT, "return-503-retry-after-1s")
    begun = time.monotonic()
    upload(case.client, made)
    assert time.monotonic() - begun >= 1.0


@pytest.mark.parametrize("path", ["small", "many", "stream", "parts", "one range"])
def test_transfer_waits_for_a_stall(new_case: Callable[..., Case], path: str) -> None:
    case = new_case()
    assert run(case, path, body_of(path), "stall-for-1s-after-128K") is None
    assert case.server.faults.completed(case.server.faults.everywhere)
    assert f"{INSERT}/query" not in case.server.faults.asked  # it was one request all the time


@pytest.mark.parametrize("path", ["small", "many", "stream", "parts", "one range"])
def test_transfer_breaks_off_an_endless_stall(new_case: Callable[..., Case], path: str) -> None:
    case = new_case(dataclasses.replace(QUICK, stall_timeout=0.5))
    begun = time.monotonic()
    assert run(case, path, body_of(path), "stall-for-30s-after-128K") is None
    assert time.monotonic() - begun < 15


def test_transfer_survives_one_fault_after_the_other(new_case: Callable[..., Case]) -> None:
    """A stream that meets everything still ends with the right bytes."""
    case = new_case()
    every = [
        "return-503-after-256K",
        "return-broken-stream-final-chunk-after-1000000B",
        "return-429",
        "return-503-after-2048K",
        "corrupt-upload",
        "lose-answer",
    ]

    def begin() -> None:
        case.server.faults.everywhere = case.server.faults.plan(
            {f"{INSERT}/resume": every, f"{INSERT}/query": ["return-503", "return-reset-connection"]}
        )

    _send(8 * MI + 300 * KI)(case, begin)
    assert case.server.faults.completed(case.server.faults.everywhere)


def test_transfer_does_not_overwrite_a_second_uploader(new_case: Callable[..., Case]) -> None:
    case = new_case()
    file = case.file(300 * KI)
    made = case.plan(file)
    theirs = dataclasses.replace(case, folder=case.folder / "theirs")
    theirs.folder.mkdir()
    upload(case.client, theirs.plan(theirs.file(5)))
    with pytest.raises(StorageError, match="412") as caught:
        upload(case.client, made)
    assert file.name in caught.value.where
    assert case.stored() == (theirs.folder / "model.bin").read_bytes()


@pytest.mark.parametrize("path", ["small", "many", "stream", "parts"])
def test_transfer_stops_while_nothing_moves(new_case: Callable[..., Case], path: str) -> None:
    case = new_case()
    sizes = {"small": [300 * KI], "many": [256 * KI] * MANY, "stream": [8 * MI + 300 * KI], "parts": [17 * MI]}[path]
    made = case.plan(*(case.file(size, f"f{number}") for number, size in enumerate(sizes)))
    cancel, stopped = threading.Event(), [0.0]
    meet(case, body_of(path), *["stall-for-5s-after-128K"] * 3)

    def stop() -> None:
        stopped[0] = time.monotonic()
        cancel.set()

    timer = threading.Timer(0.5, stop)
    timer.start()
    with pytest.raises(AipError) as caught:
        upload(case.client, made, cancel=cancel)
    late = time.monotonic() - stopped[0]
    timer.join()
    assert "stopped" in caught.value.message
    assert late < 0.5  # 0.2 on a quiet machine: the benchmark measures it
    deadline = time.monotonic() + 8
    while case.server.store.multipart_uploads.list_unfinished(BUCKET, case.prefix) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert case.server.store.multipart_uploads.list_unfinished(BUCKET, case.prefix) == []


def body_of(path: str) -> str:
    """The kind of request by which this path moves bytes."""
    return next(operation for operation in PATHS[path][1] if operation in (*BODIES, MEDIA))


def run(case: Case, path: str, operation: str, *faults: str) -> AipError | None:
    """Go this path; the error it ended in, if any. Whatever else is raised fails the test."""
    try:
        PATHS[path][0](case, lambda: meet(case, operation, *faults))
    except (StorageError, CredentialsError) as error:
        return error
    return None


def meet(case: Case, operation: str, *faults: str) -> None:
    case.server.faults.everywhere = case.server.faults.plan({operation: list(faults)})
