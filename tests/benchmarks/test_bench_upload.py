"""An upload against `gcloud storage cp -r`, `gsutil -m cp -r`, google-cloud-storage's transfer manager and obstore.

Whole processes to the same server, interleaved, and the same upload from a Python that runs already, as in a notebook.
gsutil reaches no server without TLS: it is compared with ours over TLS. The goals are for a server that costs nearly
nothing here, as Google's does (`null_server.py`), near and 30 ms away. The embedded server works on the same cores
and disk, so that there the ratios show less than the clients differ; they are told without a goal.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import itertools
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import make_certificate
from request_loops import Goal, in_turns, ratio, seconds

import aip_magics as package
from aip_magics.artifacts import inspect_model_dir
from aip_magics.errors import Interrupted
from aip_magics.storage import DigestCache, GsUri, ProgressSnapshot, StorageClient, plan_upload, upload

pytestmark = pytest.mark.benchmark

HERE = Path(__file__).parent
GCLOUD, GSUTIL = shutil.which("gcloud"), shutil.which("gsutil")
OURS, KERNEL = "aip-magics upload", "the same from a running Python"
THEIRS, MANAGER = "gcloud storage cp -r", "transfer_manager, 8 threads"
OBSTORE = "obstore, without checksums"  # pip install obstore; without it the row is left out
AGAIN, KERNEL_AGAIN, THEIRS_AGAIN = (f"{way}, nothing changed" for way in (OURS, KERNEL, THEIRS))
MEMORY, CPU = 100, 0.6  # MB, milliseconds for a small file
UNCHANGED = 40  # times as fast as gcloud, when nothing changed
EMBEDDED = "the embedded server"
SERVERS = {
    "a sink": ("null_server.py", "0"),
    "a sink 30 ms away": ("null_server.py", "0.03"),
    EMBEDDED: ("embedded_objects.py", ""),
}
MI = 1 << 20
BOTO = """
[Credentials]
gs_json_host = 127.0.0.1
gs_json_port = {port}
[Boto]
num_retries = 1
[GSUtil]
software_update_check_period = 0
"""
ASK_FOR_PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
_numbers = itertools.count()


@dataclasses.dataclass(frozen=True)
class Load:
    """Sizes in bytes of the files; how many times as fast as gcloud we should be."""

    sizes: tuple[int, ...]
    goal: float
    rounds: int = 3


LOADS = {
    "one file of 1 GiB": Load((1024 * MI,), 3),
    "200 x 1 MiB": Load((MI,) * 200, 10),
    "5,000 x 4 KiB": Load((4096,) * 5000, 3, rounds=2),
    "a SavedModel of 120 MB": Load((100 * MI, 14 * MI, 3 * MI, MI, *[20_000] * 6), 10, rounds=5),
}


@dataclasses.dataclass
class Server:
    """A Cloud Storage and what reaches it; `secure_url` is empty where it speaks no TLS."""

    name: str
    url: str
    environment: dict[str, str]
    secure_url: str = ""

    def goal(self, least: float) -> Goal | None:
        return None if self.name == EMBEDDED else Goal(least=least)

    def run(self, *words: str) -> tuple[float, float]:
        """Seconds, and seconds of processor time, of a process (and its children)."""
        begun = time.perf_counter()
        process = subprocess.Popen(
            words, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr
        told = process.stderr.read()
        process.stderr.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, told[-2000:]
        return time.perf_counter() - begun, usage.ru_utime + usage.ru_stime

    def peak(self, *words: str) -> float:
        """Peak memory of a process in MB."""
        # A process starts with its parent's peak: so the parent that asks has to be a small one.
        done = subprocess.run(
            [sys.executable, "-c", ASK_FOR_PEAK, *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stdout) / (MI if sys.platform == "darwin" else 1024)


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "token").write_text("t")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("CLOUDSDK_", "GOOGLE_"))},
        "PYTHONPATH": str(Path(package.__file__).parents[1]),
        "AIP_MAGICS_HOME": str(folder / "home"),
        "CLOUDSDK_CONFIG": str(folder / "config"),
        "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(folder / "token"),
        "CLOUDSDK_CORE_PROJECT": "demo-project",
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
        "HOME": str(folder),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    script, word = SERVERS[request.param]
    certificate, key = map(str, make_certificate(folder))
    arguments = [word, certificate, key] if word else [str(folder / "stored")]
    process = subprocess.Popen(
        [sys.executable, str(HERE / script), *arguments], stdout=subprocess.PIPE, env=environment
    )
    assert process.stdout
    url = f"http://127.0.0.1:{int(process.stdout.readline())}"
    secure_url = f"https://127.0.0.1:{int(process.stdout.readline())}" if word else ""
    environment |= {"REQUESTS_CA_BUNDLE": certificate, "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE": certificate}
    environment["BOTO_CONFIG"] = str(folder / "boto")
    (folder / "boto").write_text(BOTO.format(port=secure_url.rpartition(":")[2]))
    environment["CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE"] = f"{url}/"
    client = StorageClient(url)
    client.request(
        "POST", "/storage/v1/b?project=demo", where=url, body=b'{"name": "bucket"}', Content_Type="text/json"
    )
    client.close()
    yield Server(request.param, url, environment, secure_url)
    process.terminate()
    process.wait(60)
    process.stdout.close()
    shutil.rmtree(folder / "stored", ignore_errors=True)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Callable[[Load], Path]]:
    folder = tmp_path / "source"

    def write(load: Load) -> Path:
        block = random.Random(7).randbytes(MI)
        for number, size in enumerate(load.sizes):
            path = folder / f"part-{number % 7}" / f"file-{number:05}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                for start in range(0, size, MI):
                    file.write(number.to_bytes(8, "big") + block[8 : min(MI, size - start)])
        return folder

    yield write
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("name", LOADS)
def test_bench_upload(
    server: Server, source: Callable[[Load], Path], aip_magics: list[str], tell: Any, tmp_path: Path, name: str
) -> None:
    load = LOADS[name]
    folder = source(load)
    costs: list[float] = []
    client = StorageClient(server.url)

    def command(destination: str) -> list[str]:
        return [*aip_magics, "upload", str(folder), destination, "--storage-endpoint", server.url]

    def ours(destination: str) -> float:
        taken, cpu = server.run(*command(destination))
        costs.append(cpu)
        return taken

    def kernel(destination: str) -> float:
        def run() -> None:
            fresh, known = StorageClient(server.url), DigestCache(tmp_path / "digests")
            made = plan_upload(fresh, inspect_model_dir(folder).files, GsUri.parse(destination), digests=known)
            upload(fresh, made, digests=known)
            fresh.close()

        return seconds(run)

    def theirs(destination: str) -> float:
        return server.run(str(GCLOUD), "storage", "cp", "-r", str(folder), destination)[0]

    def manager(destination: str) -> float:
        prefix = destination.removeprefix("gs://bucket/")
        return server.run(sys.executable, str(HERE / "transfer_manager.py"), server.url, str(folder), prefix)[0]

    def obstore(destination: str) -> float:
        prefix = destination.removeprefix("gs://bucket/")
        return server.run(sys.executable, str(HERE / "obstore_upload.py"), server.url, str(folder), prefix)[0]

    def anew(way: Callable[[str], float]) -> Callable[[], float]:
        def run() -> float:
            destination = GsUri("bucket", f"run-{next(_numbers)}/")
            taken = way(str(destination))
            there = plan_upload(client, [], destination, delete_extra=True)
            assert sorted(remote.size for remote in there.remove) == sorted(load.sizes)
            upload(client, there)
            return taken

        return run

    ways = {
        OURS: anew(ours),
        KERNEL: anew(kernel),
        MANAGER: anew(manager),
        **({OBSTORE: anew(obstore)} if importlib.util.find_spec("obstore") and server.name != EMBEDDED else {}),
        **({THEIRS: anew(theirs)} if GCLOUD else {}),
    }
    measured = in_turns(ways, load.rounds)
    tell(f"{name}, to {server.name}:", *measured.values())
    if GCLOUD:
        for way in (OURS, KERNEL):
            tell(ratio(measured[THEIRS], measured[way], server.goal(load.goal)))
    tell(ratio(measured[MANAGER], measured[OURS], server.goal(1)))
    if OBSTORE in measured:
        tell(ratio(measured[OBSTORE], measured[OURS], None))
    again = f"gs://bucket/again-{next(_numbers)}/"
    memory = server.peak(*command(again))
    sent = costs[:]
    costs.clear()
    same = {
        AGAIN: lambda: ours(again),
        KERNEL_AGAIN: lambda: kernel(again),
        **({THEIRS_AGAIN: lambda: theirs(again)} if GCLOUD else {}),
    }
    repeated = in_turns(same, load.rounds)
    tell(*repeated.values())
    if GCLOUD:
        for way in (AGAIN, KERNEL_AGAIN):
            tell(ratio(repeated[THEIRS_AGAIN], repeated[way], server.goal(UNCHANGED)))
    tell(f"  peak memory: {memory:.0f} MB; {Goal(most=MEMORY).told(memory)}")
    if max(load.sizes) < MI:
        small = (min(sent) - min(costs)) / len(load.sizes) * 1000
        tell(f"  processor time for a file: {small:.2f} ms; {Goal(most=CPU).told(small)}")
    client.close()


@pytest.mark.skipif(GSUTIL is None, reason="gsutil is not installed")
@pytest.mark.parametrize("name", LOADS)
def test_bench_upload_gsutil(
    server: Server, source: Callable[[Load], Path], aip_magics: list[str], tell: Any, name: str
) -> None:
    if not server.secure_url:
        pytest.skip("this server speaks no TLS")
    folder = source(LOADS[name])

    def ours() -> float:
        destination = f"gs://bucket/run-{next(_numbers)}/"
        words = ["upload", str(folder), destination, "--storage-endpoint", server.secure_url]
        return server.run(*aip_magics, *words)[0]

    def theirs() -> float:
        return server.run(str(GSUTIL), "-q", "-m", "cp", "-r", str(folder), f"gs://bucket/run-{next(_numbers)}/")[0]

    measured = in_turns({OURS: ours, "gsutil -m cp -r": theirs}, 2)
    tell(f"{name}, to {server.name}, over TLS:", *measured.values())
    tell(ratio(measured["gsutil -m cp -r"], measured[OURS], server.goal(1)))


def test_bench_upload_stop(server: Server, source: Callable[[Load], Path], tell: Any) -> None:
    """From the request to stop to the end of `upload`, while 64 connections are busy."""
    folder = source(Load((200 * MI, *[20 * MI] * 5, *[4096] * 1500), 1))
    late: list[float] = []
    for number in range(10):
        client, cancel, begun = StorageClient(server.url), threading.Event(), [0.0]
        made = plan_upload(client, inspect_model_dir(folder).files, GsUri("bucket", f"stop-{next(_numbers)}/"))
        files = number * len(made.send) // 12

        def stop(
            now: ProgressSnapshot, begun: list[float] = begun, cancel: threading.Event = cancel, files: int = files
        ) -> None:
            if now.files_done >= files and not cancel.is_set():
                begun[0] = time.perf_counter()
                cancel.set()

        with pytest.raises(Interrupted):
            upload(client, made, cancel=cancel, progress=stop)
        late.append(time.perf_counter() - begun[0])
        client.close()
    shown = ", ".join(f"{each * 1000:.0f}" for each in sorted(late))
    tell(f"a stop, to {server.name}: {shown} ms; {Goal(most=0.2).told(max(late))}")
