"""What a model's code cannot do in a worker on Linux, attempted by real models and routines.

Each model runs the code that it is asked with, and predicts what came of it: nothing but the confinement stops it. What
is tried works outside of a worker: `test_confinement_attempts_are_real`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from aip_magics.errors import PredictionError
from aip_magics.prediction import ForkServerPool, WorkerClient, WorkerSpec, start
from tests.prediction.conftest import Built

Start = Callable[..., WorkerClient]
Ask = Callable[[str], Any]


def abi() -> int:
    import ctypes

    return int(ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1)) if sys.platform == "linux" else 0


pytestmark = pytest.mark.skipif(abi() < 6, reason="this system has no Landlock of version 6 or newer")

RUN = """
import os, sys
def run(code):
    space = {}
    try:
        exec(code, space)
    except BaseException as error:
        return type(error).__name__ + ": " + str(error)
    return str(space.get("seen", "done"))
"""
PICKLED = RUN + "class Model:\n    def predict(self, instances):\n        return [run(code) for code in instances]\n"
ROUTINE = RUN + (
    "class Predictor:\n    @classmethod\n    def from_path(cls, model_dir):\n        return cls()\n"
    "    def predict(self, instances, **kwargs):\n        return [run(code) for code in instances]\n"
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home directory with a key, next to the data directory of a server with the model."""
    (tmp_path / "home" / ".ssh").mkdir(parents=True)
    (tmp_path / "home" / ".ssh" / "id_rsa").write_text("PRIVATE KEY")
    data = tmp_path / "data"
    (data / "models" / "mine").mkdir(parents=True)
    (data / "models" / "other").mkdir()
    (data / "models" / "other" / "model.pkl").write_text("another version's")
    (data / "server.json").write_text('{"token": "secret"}')
    return tmp_path


def made(kind: str, home: Path) -> WorkerSpec:
    """A model that runs the code in its instances."""
    directory = home / "data" / "models" / "mine"
    (directory / "model.joblib").write_bytes(b"")
    if kind == "routine":
        site = home / "site"
        site.mkdir(exist_ok=True)
        (site / "predictor.py").write_text(ROUTINE)
        return WorkerSpec(directory, packages=(site,), prediction_class="predictor.Predictor", trusted=True)
    joblib.dump(Built(PICKLED, "sklearn_test"), directory / "model.joblib")
    return WorkerSpec(directory, "SCIKIT_LEARN", trusted=True)


@pytest.fixture(params=["forked", "spawned"])
def pool(request: pytest.FixtureRequest) -> ForkServerPool | None:
    return request.getfixturevalue("parents") if request.param == "forked" else None


@contextlib.contextmanager
def asking(spec: WorkerSpec, log_dir: Path, pool: ForkServerPool | None) -> Iterator[Ask]:
    with start(spec, log_dir=log_dir, fork_servers=pool) as worker:
        assert worker.forked == (pool is not None)
        worker.load()
        yield lambda code: asked(worker, [textwrap.dedent(code)])[0]


def asked(worker: WorkerClient, instances: Any) -> Any:
    return json.loads(worker.predict(json.dumps({"instances": instances}).encode(), 60.0))["predictions"]


WRITES = [
    "open({home!r} + '/new', 'w')",
    "open({home!r} + '/.ssh/id_rsa', 'a')",
    "os.truncate({home!r} + '/.ssh/id_rsa', 0)",
    "os.remove({home!r} + '/.ssh/id_rsa')",
    "os.rename({home!r} + '/.ssh', {home!r} + '/ssh')",
    "os.rename({home!r} + '/.ssh/id_rsa', 'id_rsa')",
    "os.link({home!r} + '/.ssh/id_rsa', 'id_rsa')",
    "os.mkdir({home!r} + '/folder')",
    "os.rmdir({home!r} + '/empty')",
    "os.symlink('/', {home!r} + '/link')",
    "os.mkfifo({home!r} + '/fifo')",
    "open({model!r} + '/model.joblib', 'r+b')",
    "open({model!r} + '/new', 'w')",
    "open({worker!r} + '/stats.py', 'a')",
    "open('/tmp/aip-magics-test-of-confinement', 'w')",
]
READS = [
    "open({home!r} + '/.ssh/id_rsa').read()",
    "open({data!r} + '/server.json').read()",
    "open({data!r} + '/models/other/model.pkl').read()",
    "os.listdir({home!r})",
    "os.listdir({data!r} + '/models')",
    "os.symlink({home!r} + '/.ssh/id_rsa', 'link'); open('link').read()",
    "open('/proc/{owner}/environ').read()",
    "open('/proc/{owner}/cmdline').read()",
    "open('/etc/shadow').read()",
]
PROCESSES = [
    "os.kill({victim}, 9)",
    "os.kill({owner}, 0)",
    "os.killpg(os.getpgid({victim}), 9)",
    "import ctypes; assert not ctypes.CDLL(None).ptrace(16, {victim}, 0, 0), 'ptrace not permitted'",
    "import resource; resource.prlimit({victim}, resource.RLIMIT_CPU, (0, 0))",
]
ADMINISTRATION = [
    "import ctypes; assert not ctypes.CDLL(None).unshare(0x10000000), 'unshare not permitted'",
    "os.chroot('.')",
]
NETWORK = [
    "import socket; socket.create_connection(('127.0.0.1', {port}), 5).sendall(b'x')",
    "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port}))",
    "import socket; socket.socket(socket.AF_UNIX).connect({home!r} + '/listening')",
    "import socket; socket.socket().bind(('127.0.0.1', 0))",
    "import socket; socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b'x', {home!r} + '/datagrams')",
]
PROGRAMS = ["import subprocess; subprocess.check_call(['/bin/true'])", "os.execv('/bin/true', ['true'])"]
CONTENT_ONLY = ["os.chmod({home!r} + '/.ssh/id_rsa', 0o777)", "os.utime({home!r} + '/.ssh/id_rsa')"]


@pytest.fixture
def known(home: Path) -> Iterator[dict[str, Any]]:
    """The targets of the attempts: a process, listening sockets, and what they received."""
    from aip_magics.prediction.worker_process import FOLDER

    (home / "home" / "empty").mkdir()
    with contextlib.ExitStack() as stack:
        victim = stack.enter_context(subprocess.Popen(["sleep", "600"], start_new_session=True))
        stack.callback(victim.kill)
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(tcp.getsockname())
        local = stack.enter_context(socket.socket(socket.AF_UNIX))
        datagrams = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        here = os.getcwd()
        os.chdir(home / "home")  # the address of a Unix socket has at most 108 characters
        local.bind("listening")
        datagrams.bind("datagrams")
        os.chdir(here)
        local.listen()
        for sock in (tcp, udp, local, datagrams):
            sock.setblocking(False)
        yield {
            "home": str(home / "home"), "data": str(home / "data"), "model": str(home / "data" / "models" / "mine"),
            "worker": str(FOLDER), "owner": os.getpid(), "victim": victim.pid, "port": tcp.getsockname()[1],
            "sockets": (tcp, udp, local, datagrams), "process": victim,
        }  # fmt: skip


def tried(ask: Ask, attempts: list[str], known: dict[str, Any]) -> dict[str, str]:
    said = {}
    for attempt in attempts:
        code = "import os\nseen = None\n" + attempt.format(**known)
        said[attempt] = str(ask(code.replace("; open(", "; seen = open(")))
    return said


def is_refused(answer: str) -> bool:
    # Landlock reports a link out of a directory without write access as a link to another device.
    return any(text in answer for text in ("ermission denied", "not permitted", "cross-device link"))


def heard(known: dict[str, Any]) -> int:
    """Count the sockets that were reached."""
    count = 0
    for sock in known["sockets"]:
        with contextlib.suppress(BlockingIOError):
            if sock.type == socket.SOCK_DGRAM:
                sock.recv(1)
            else:
                sock.accept()[0].close()
            count += 1
    return count


@pytest.mark.parametrize("kind", ["pickle", "routine"])
def test_confinement_stops_every_attempt(
    kind: str, pool: ForkServerPool | None, home: Path, known: dict[str, Any], tmp_path: Path
) -> None:
    before = sorted(path.relative_to(home / "home") for path in (home / "home").rglob("*"))
    with asking(made(kind, home), tmp_path / "logs", pool) as ask:
        said = tried(ask, [*WRITES, *READS, *PROCESSES, *ADMINISTRATION], known)
    assert {attempt: answer for attempt, answer in said.items() if not is_refused(answer)} == {}
    assert sorted(path.relative_to(home / "home") for path in (home / "home").rglob("*")) == before
    assert (home / "home" / ".ssh" / "id_rsa").read_text() == "PRIVATE KEY"
    assert known["process"].poll() is None


def test_confinement_of_a_framework_has_no_network_and_no_programs(
    pool: ForkServerPool | None, home: Path, known: dict[str, Any], tmp_path: Path
) -> None:
    mode = (home / "home" / ".ssh" / "id_rsa").stat().st_mode
    with asking(made("pickle", home), tmp_path / "logs", pool) as ask:
        said = tried(ask, [*NETWORK, *PROGRAMS, *CONTENT_ONLY], known)
    assert {attempt: answer for attempt, answer in said.items() if not is_refused(answer)} == {}
    assert heard(known) == 0
    assert (home / "home" / ".ssh" / "id_rsa").stat().st_mode == mode


def test_confinement_of_a_routine_has_both(
    pool: ForkServerPool | None, home: Path, known: dict[str, Any], tmp_path: Path
) -> None:
    with asking(made("routine", home), tmp_path / "logs", pool) as ask:
        said = tried(ask, [*NETWORK[:2], PROGRAMS[0]], known)
        pooled = ask("import multiprocessing\nwith multiprocessing.Pool(2) as pool: seen = pool.map(abs, [-1, -2])")
        child = ask("import subprocess, sys\nseen = subprocess.call([sys.executable, '-c', 'import numpy'])")
        reading = "open({home!r} + '/.ssh/id_rsa')".format(**known)
        inside = ask(f"import subprocess, sys\nseen = subprocess.call([sys.executable, '-c', {reading!r}])")
    assert set(said.values()) == {"None"}
    assert heard(known) == 2
    assert (pooled, child) == ("[1, 2]", "0")
    assert inside == "1"  # child processes are confined too


def test_confinement_lets_a_worker_do_the_rest(pool: ForkServerPool | None, home: Path, tmp_path: Path) -> None:
    with asking(made("pickle", home), tmp_path / "logs", pool) as ask:
        assert ask("import os\nseen = sorted(os.listdir({!r}))".format(str(home / "data/models/mine"))) == (
            "['model.joblib']"
        )
        everything = """
            import os, pathlib, shutil, sqlite3, tempfile, time
            folder = pathlib.Path(tempfile.mkdtemp())
            (folder / "one").mkdir()
            (folder / "one" / "file").write_text("x")
            (folder / "one" / "file").rename(folder / "file")
            os.truncate
            with open(folder / "file", "r+") as file: file.truncate(0)
            (folder / "file").unlink()
            pathlib.Path.home().joinpath(".cache").mkdir()
            assert pathlib.Path.home() == pathlib.Path.cwd()
            shutil.rmtree(folder)
            open(os.devnull, "w").write("x")
            os.urandom(1), open("/dev/urandom", "rb").read(1), open("/proc/self/status").read()
            open("/proc/cpuinfo").read(), os.cpu_count(), time.tzname
            os.kill(os.getpid(), 0)
            import zoneinfo, ssl, ctypes.util, email, scipy.stats
        """
        assert ask(everything) == "done"


def test_confinement_attempts_are_real(home: Path, known: dict[str, Any], tmp_path: Path) -> None:
    """Outside of a worker each attempt succeeds, so the confinement is what prevents it."""
    harmless = [*WRITES[:2], WRITES[7], *READS[:5], NETWORK[0], NETWORK[1], NETWORK[2], NETWORK[4], *PROGRAMS[:1],
                PROCESSES[1], *CONTENT_ONLY, PROCESSES[0]]  # fmt: skip
    script = tmp_path / "outside.py"
    script.write_text(RUN + "import json\nprint(json.dumps([run(code) for code in json.load(sys.stdin)]))\n")
    codes = ["import os\n" + attempt.format(**known) for attempt in harmless]
    done = subprocess.run([sys.executable, str(script)], input=json.dumps(codes).encode(), capture_output=True)
    assert json.loads(done.stdout) == ["done"] * len(harmless)
    assert heard(known) == 4
    assert known["process"].wait(5) == -9


EXPORT = """
import sys
import tensorflow as tf
class Module(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def read(self, path):
        return {"content": tf.map_fn(tf.io.read_file, path)}
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def write(self, path):
        with tf.control_dependencies([tf.io.write_file(path[0], "written")]):
            return {"path": tf.identity(path)}
module = Module()
tf.saved_model.save(module, sys.argv[1], signatures={"serving_default": module.read, "write": module.write})
"""


@pytest.mark.skipif(not importlib.util.find_spec("tensorflow"), reason="TensorFlow is not installed")
def test_confinement_of_a_saved_model_that_reads_and_writes(
    pool: ForkServerPool | None, home: Path, known: dict[str, Any], tmp_path: Path
) -> None:
    directory = home / "data" / "models" / "tensorflow"
    subprocess.run([sys.executable, "-c", EXPORT, str(directory)], check=True, capture_output=True)
    (directory / "assets").mkdir(exist_ok=True)
    (directory / "assets" / "words").write_text("its own")
    with start(WorkerSpec(directory, trusted=True), log_dir=tmp_path / "logs", fork_servers=pool) as worker:
        loaded = worker.load(120.0)
        assert asked(worker, [str(directory / "assets" / "words")]) == [{"content": "its own"}]
        for path in (f"{known['home']}/.ssh/id_rsa", f"{known['data']}/server.json"):
            with pytest.raises(PredictionError, match="Permission denied"):
                worker.predict(json.dumps({"instances": [path]}).encode(), 60.0)
        for path in (f"{known['home']}/new", f"{known['home']}/.ssh/id_rsa", f"{directory}/new"):
            with pytest.raises(PredictionError, match="Permission denied"):
                worker.predict(json.dumps({"instances": [path], "signature_name": "write"}).encode(), 60.0)
    assert loaded.protection["network"]
    assert not (home / "home" / "new").exists()
    assert (home / "home" / ".ssh" / "id_rsa").read_text() == "PRIVATE KEY"


def test_confinement_of_an_ordinary_booster(
    xgboost_dir: Path, rows: Any, pool: ForkServerPool | None, tmp_path: Path
) -> None:
    with start(WorkerSpec(xgboost_dir), log_dir=tmp_path, fork_servers=pool) as worker:
        loaded = worker.load()
        assert len(asked(worker, rows)) == len(rows)
    assert loaded.protection["network"]


def test_confinement_lets_many_jobs_be_threads(
    iris: Any, rows: Any, pool: ForkServerPool | None, tmp_path: Path
) -> None:
    """joblib would start processes for these models."""
    x, y = iris
    scaled = ColumnTransformer([("a", StandardScaler(), [0, 1]), ("b", StandardScaler(), [2, 3])], n_jobs=2)
    several = MultiOutputClassifier(LogisticRegression(max_iter=500), n_jobs=2)
    model = make_pipeline(scaled, several).fit(x, [[label, label > 1] for label in y])
    joblib.dump(model, tmp_path / "model.joblib")
    with start(WorkerSpec(tmp_path, trusted=True), log_dir=tmp_path / "logs", fork_servers=pool) as worker:
        worker.load()
        assert asked(worker, rows) == model.predict(rows).tolist()
        assert "joblib" not in worker.log_tail()


def test_confinement_takes_a_model_that_is_a_link(
    sklearn_dir: Path, rows: Any, pool: ForkServerPool | None, tmp_path: Path
) -> None:
    directory, alias = tmp_path / "linked", tmp_path / "alias"
    directory.mkdir()
    (directory / "model.joblib").symlink_to(sklearn_dir / "model.joblib")
    alias.symlink_to(directory)
    with start(WorkerSpec(alias), log_dir=tmp_path / "logs", fork_servers=pool) as worker:
        worker.load()
        assert len(asked(worker, rows)) == len(rows)


def test_confinement_begins_before_any_thread(pool: ForkServerPool | None, home: Path, tmp_path: Path) -> None:
    """A thread started earlier would not be confined, and a model's code could use it."""
    with start(made("pickle", home), log_dir=tmp_path / "logs", fork_servers=pool) as worker:
        assert len(os.listdir(f"/proc/{worker.pid}/task")) == 1
        loaded = worker.load()
        count = asked(worker, ["import threading; seen = [thread.name for thread in threading.enumerate()]"])
        states = [task.joinpath("status").read_text() for task in Path(f"/proc/{worker.pid}/task").iterdir()]
    assert count == ["['MainThread', 'aip-owner']"]
    assert all("Seccomp:\t2" in state and "NoNewPrivs:\t1" in state for state in states)
    assert loaded.protection == {
        "files": True, "network": True, "processes": True, "open": False, "by": f"Landlock ABI {abi()}, seccomp",
        "why": "",
    }  # fmt: skip


def test_confinement_includes_the_threads_of_blas(
    sklearn_dir: Path, pool: ForkServerPool | None, tmp_path: Path
) -> None:
    with start(WorkerSpec(sklearn_dir, threads=2), log_dir=tmp_path, fork_servers=pool) as worker:
        loaded = worker.load()
        states = [task.joinpath("status").read_text() for task in Path(f"/proc/{worker.pid}/task").iterdir()]
    assert loaded.protection["files"]
    assert len(states) > 2
    assert all("Seccomp:\t2" in state for state in states)


def test_confinement_opens_no_second_model(sklearn_dir: Path, xgboost_dir: Path, tmp_path: Path) -> None:
    """The confinement is permanent; another request cannot lift it."""
    with start(WorkerSpec(sklearn_dir), log_dir=tmp_path) as worker:
        worker.load()
        worker.spec = WorkerSpec(xgboost_dir)
        with pytest.raises(PredictionError, match="this worker is confined to the model in "):
            worker.load()


@pytest.mark.parametrize("ended", ["closed", "killed"])
def test_confinement_leaves_nothing_of_a_spawned_worker(
    ended: str, sklearn_dir: Path, tmp_path: Path, gone: Callable[..., bool]
) -> None:
    """The worker cannot remove its own directory; its cleanup process does, and ends."""
    with start(WorkerSpec(sklearn_dir), log_dir=tmp_path) as worker:
        worker.load()
        children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
        assert len(children) == 1
        assert len(os.listdir(f"/proc/{children[0]}/fd")) == 1  # none of the worker's files is open
        if ended == "killed":
            os.kill(worker.pid, 9)
            assert gone(int(children[0]))
            assert not worker._process.temp_dir.exists()
    assert gone(int(children[0]))


PATH_OF_HOME = """
    import json, os, sys, importlib.util
    def part(name, folder):
        found = importlib.util.spec_from_file_location(name, os.path.join(folder, "__init__.py"),
                                                       submodule_search_locations=[folder])
        sys.modules[name] = importlib.util.module_from_spec(found)
    part("w", sys.argv[1])
    import w.file_access
    print(json.dumps(w.file_access.importable()))
"""


def test_confinement_of_a_home_directory_on_the_path(home: Path) -> None:
    from aip_magics.prediction.worker_process import FOLDER

    there = home / "home"
    (there / "mine.py").write_text("")
    (there / "package").mkdir()
    (there / "package" / "__init__.py").write_text("")
    (there / "notes.txt").write_text("")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PATH_OF_HOME), str(FOLDER)], capture_output=True, check=True,
        env={**os.environ, "HOME": str(there), "PYTHONPATH": f"{there}:/"},
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert {str(there / "mine.py"), str(there / "package")} <= set(found)
    assert not {str(there), "/", str(there / ".ssh"), str(there / "notes.txt"), str(home)} & set(found)
