"""Workers start, are isolated and end; a crash affects neither the owner nor the next call."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import aip_magics
from aip_magics.errors import PredictionError, WorkerError
from aip_magics.prediction import WorkerClient, WorkerSpec
from aip_magics.prediction.worker_client import WorkerProcess
from aip_magics.prediction.worker_environ import is_passed_on, worker_environ
from aip_magics.prediction.worker_process import ProcessResources, spawn_connecting

Start = Callable[..., WorkerClient]
BODY = b'{"instances": [[5.1, 3.5, 1.4, 0.2]]}'


def model(predict: str, load: str = "pass") -> str:
    """Source for `built` of a model whose `predict` runs this code."""
    predict = textwrap.indent(textwrap.dedent(predict), " " * 8)
    head = "import ctypes, os, sys, tempfile, time, subprocess\n"
    method = f"    def predict(self, instances):\n{predict}\n        return [1] * len(instances)\n"
    return f"{head}{load}\nclass Model:\n{method}"


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("os._exit(7)", "exited with code 7 while predicting"),
        ("os.kill(os.getpid(), 9)", "was ended by signal 9 (SIGKILL) while predicting"),
        ("ctypes.string_at(0)", "was ended by signal 11 (SIGSEGV) while predicting"),
        ("os.abort()", "was ended by signal 6 (SIGABRT) while predicting"),
    ],
)
def test_worker_client_tells_a_death_and_the_next_worker_works(
    started: Start, built: Callable[..., Path], sklearn_dir: Path, code: str, says: str
) -> None:
    worker = started(built(model(f"print('last words'); {code}")))
    worker.load()
    with pytest.raises(WorkerError) as caught:
        worker.predict(BODY, 30.0)
    assert says in caught.value.detail
    assert "last words" in caught.value.log
    assert not worker.alive()
    with pytest.raises(WorkerError, match="exited before this request"):
        worker.predict(BODY, 30.0)
    second = started(sklearn_dir)
    second.load()
    assert json.loads(second.predict(BODY, 30.0)) == {"predictions": [0]}


def test_worker_client_tells_a_death_while_loading(started: Start, built: Callable[..., Path]) -> None:
    worker = started(built(model("pass", load="os._exit(3)")))
    with pytest.raises(WorkerError, match="exited with code 3 while loading the model"):
        worker.load()


def test_worker_client_of_a_killed_idle_worker_is_not_alive(started: Start, sklearn_dir: Path) -> None:
    worker = started(sklearn_dir)
    assert worker.alive()
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(WorkerError, match="SIGKILL"):
        worker.load()
    assert not worker.alive()


def test_worker_client_ends_a_hang_at_its_deadline_and_says_where(
    started: Start, built: Callable[..., Path], gone: Callable[..., bool]
) -> None:
    worker = started(built(model("while True: time.sleep(0.01)")))
    worker.load()
    start = time.monotonic()
    with pytest.raises(WorkerError, match=r"timed out after 0.3 s while predicting") as caught:
        worker.predict(BODY, 0.3)
    assert time.monotonic() - start < 5
    assert "in predict" in caught.value.log  # the position of the hanging code
    assert gone(worker.pid)


def test_worker_client_ends_what_the_models_code_started(
    started: Start, built: Callable[..., Path], gone: Callable[..., bool]
) -> None:
    worker = started(built(model("print(os.fork() or time.sleep(600)); sys.stdout.flush()")))
    worker.load()
    worker.predict(BODY, 30.0)
    child = int(worker.log_tail(1))
    worker.close()
    assert gone(child)


def test_worker_client_ends_the_worker_at_an_interrupt(
    started: Start, built: Callable[..., Path], gone: Callable[..., bool]
) -> None:
    worker = started(built(model("time.sleep(600)")))
    worker.load()
    timer = threading.Timer(0.2, signal.pthread_kill, [threading.get_ident(), signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        worker.predict(BODY, 60.0)
    timer.join()
    assert gone(worker.pid)


def test_worker_keeps_printed_text_out_of_the_response(started: Start, built: Callable[..., Path]) -> None:
    worker = started(
        built(
            model(
                """
                print("to stdout 한글 \\udc80")
                os.write(1, b"raw bytes \\x00\\xff to 1\\n")
                if os.fork() == 0:
                    os.write(2, b"from a child\\n")
                    os._exit(0)
                os.wait()
                sys.stderr.write("to stderr\\n")
                """,
                load="print('loading')",
            )
        )
    )
    worker.load()
    assert json.loads(worker.predict(BODY, 30.0)) == {"predictions": [1]}
    for line in ("loading", "to stdout 한글", "raw bytes", "from a child", "to stderr"):
        assert line in worker.log_tail()


def test_worker_goes_on_with_closed_standard_streams(started: Start, built: Callable[..., Path]) -> None:
    worker = started(built(model("sys.stdout.close(); sys.stderr.close(); instances[1]")))
    worker.load()
    with pytest.raises(PredictionError, match="list index out of range"):
        worker.predict(BODY, 30.0)
    assert json.loads(worker.predict(b'{"instances": [0, 0]}', 30.0)) == {"predictions": [1, 1]}


@pytest.mark.parametrize("code", ["sys.exit(2)", "raise KeyboardInterrupt", "raise MemoryError"])
def test_worker_goes_on_after_exceptions_that_end_programs(
    started: Start, built: Callable[..., Path], code: str
) -> None:
    worker = started(built(model(f"if instances[0]: {code}")))
    worker.load()
    with pytest.raises(PredictionError) as caught:
        worker.predict(BODY, 30.0)
    assert caught.value.kind == "FAILED_TO_RUN_MODEL"
    assert json.loads(worker.predict(b'{"instances": [0]}', 30.0)) == {"predictions": [1]}


def test_worker_alone_runs_a_pickle(started: Start, built: Callable[..., Path]) -> None:
    worker = started(built(model("pass", load="print('loaded in', os.getpid(), flush=True)")))
    assert "loaded in" not in worker.log_tail()
    worker.load()
    assert worker.log_tail(1) == f"loaded in {worker.pid}"
    assert worker.pid != os.getpid()


def test_worker_environ_has_only_what_is_needed(spawned: Start, built: Callable[..., Path]) -> None:
    names = (
        "GH_PAT DB_PASS PGPASSWORD SENTRY_DSN SLACK_WEBHOOK GOOGLE_APPLICATION_CREDENTIALS AWS_PROFILE MY_TOKEN API_KEY"
        " CLOUDSDK_CORE_PROJECT CLIENT_SECRET SSH_AUTH_SOCK TF_VAR_db_password TF_TOKEN_app NVIDIA_API_KEY OMP_TOKEN"
        " LC_PAT MPLBACKEND MY_SETTING"
    )
    secrets = dict.fromkeys(names.split(), "x")
    addresses = {"DATABASE_URL": "postgres://me:hunter2@db/x", "HTTPS_PROXY": "http://me:hunter2@proxy:3128"}
    needed = {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "HTTP_PROXY": "http://proxy:3128", "TF_XLA_FLAGS": "--x"}
    variables = {**os.environ, **secrets, **addresses, **needed}
    worker = spawned(built(model("print(dict(os.environ))")), environ=variables, threads=2)
    worker.load()
    worker.predict(BODY, 30.0)
    seen = eval(worker.log_tail(1))
    assert not {*secrets, *addresses} & set(seen)
    assert "hunter2" not in str(seen)
    assert needed.items() <= seen.items()
    assert (seen["OMP_NUM_THREADS"], seen["OPENBLAS_NUM_THREADS"], seen["MKL_NUM_THREADS"]) == ("2", "2", "2")


SECRETS = "TOKEN SECRET KEY PASS PASSWORD PASSWD CREDENTIALS COOKIE WEBHOOK PAT DSN PW URL AUTH".split()  # noqa: SIM905
FAMILIES = "OMP_ KMP_ MKL_ LC_ TF_ TF_CPP_ TF_VAR_ CUDA_ NVIDIA_ XLA_ PYTHON AWS_ GH_ DB_".split()  # noqa: SIM905
WORDS = st.sampled_from([*SECRETS, "MY", "APP", "X", "NUM", "0"])


@given(
    st.sampled_from(["", *FAMILIES]), st.lists(WORDS, max_size=3), st.sampled_from(SECRETS), st.lists(WORDS, max_size=2)
)
def test_worker_environ_has_no_name_of_a_secret(family: str, before: list[str], secret: str, after: list[str]) -> None:
    name = family + "_".join([*before, secret, *after])
    assert name not in worker_environ({name: "x"}, sys.executable, 1)


@given(st.text(min_size=1), st.text())
def test_worker_environ_has_no_arbitrary_name(name: str, value: str) -> None:
    assume(not is_passed_on(name, ""))  # Hypothesis tries names that it reads in the source, ALL_PROXY among them
    own = set(worker_environ({}, sys.executable, 1))
    seen = worker_environ({name: value, f"MY_{name}": value, f"{name}_TOKEN": value}, sys.executable, 1)
    assert set(seen) <= own


def test_worker_environ_of_a_fork_server_has_no_secrets_either(
    monkeypatch: pytest.MonkeyPatch, built: Callable[..., Path], tmp_path: Path
) -> None:
    from aip_magics.prediction import ForkServerPool, start

    monkeypatch.setenv("MY_TOKEN", "x")
    with (
        ForkServerPool() as pool,
        start(
            WorkerSpec(built(model("print(sorted(os.environ))")), "XGBOOST", trusted=True),
            log_dir=tmp_path,
            fork_servers=pool,
        ) as worker,
    ):
        assert worker.forked
        worker.spec = WorkerSpec(worker.spec.model_dir, "SCIKIT_LEARN", trusted=True)
        worker.load()
        worker.predict(BODY, 30.0)
        assert "MY_TOKEN" not in eval(worker.log_tail(1))


def test_worker_environ_has_python_path_for_our_own_interpreter_only() -> None:
    variables = {"PYTHONPATH": "x", "PYTHONHOME": "y"}
    assert worker_environ(variables, sys.executable, 1)["PYTHONPATH"] == "x"
    assert "PYTHONPATH" not in worker_environ(variables, "/another/python", 1)
    assert "PYTHONHOME" not in worker_environ(variables, sys.executable, 1)


def test_worker_has_its_own_directory_for_temporary_files(started: Start, built: Callable[..., Path]) -> None:
    code = "print(tempfile.mkdtemp()); print(os.getcwd())"
    workers = [started(built(model(code), name=name)) for name in ("one", "two")]
    for worker in workers:
        worker.load()
        worker.predict(BODY, 30.0)
    places = [worker.log_tail().splitlines() for worker in workers]
    assert all(Path(made).parent == Path(here) for made, here in places)
    assert places[0][1] != places[1][1]
    for worker in workers:
        worker.close()
    assert not any(Path(made).exists() for made, _ in places)


def test_worker_hides_our_files_from_the_models_code(started: Start, built: Callable[..., Path]) -> None:
    worker = started(
        built(model("import __main__; print(sorted(vars(__main__)), [p for p in sys.path if 'worker' in p])"))
    )
    worker.load()
    worker.predict(BODY, 30.0)
    assert worker.log_tail(1).endswith("[]")
    assert "main'" not in worker.log_tail(1)


def test_worker_that_was_forked_holds_no_sockets_of_others(started: Start, sklearn_dir: Path) -> None:
    workers = [started(sklearn_dir) for _ in range(3)]
    counts = []
    for worker in workers:
        names = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{worker.pid}/fd")]
        counts.append(sum(name.startswith(("socket:", "pipe:")) for name in names))
    assert counts == [1, 1, 1]


def test_worker_that_was_forked_draws_its_own_random_numbers(
    tmp_path: Path, built: Callable[..., Path], parents: object
) -> None:
    from aip_magics.prediction import start

    directory = built(
        "import numpy\nclass Model:\n    def predict(self, x):\n        return numpy.random.random(len(x))"
    )
    answers = []
    for _ in range(2):
        with start(WorkerSpec(directory, trusted=True), log_dir=tmp_path, fork_servers=parents) as worker:  # type: ignore[arg-type]
            worker.load()
            answers.append(worker.predict(BODY, 30.0))
    assert answers[0] != answers[1]


def test_worker_client_connects_instead_of_inheriting(
    sklearn_dir: Path, tmp_path: Path, gone: Callable[..., bool]
) -> None:
    """As on Windows."""
    surroundings = ProcessResources.make(tmp_path)
    sock, handle = spawn_connecting(sys.executable, surroundings, worker_environ(os.environ, sys.executable, 1))
    os.close(surroundings.log_fd)
    worker = WorkerClient(WorkerSpec(sklearn_dir, trusted=True), WorkerProcess(sock, handle, surroundings))
    worker.hello()
    worker.load()
    assert json.loads(worker.predict(BODY, 30.0)) == {"predictions": [0]}
    worker.close()
    assert gone(worker.pid)


def test_worker_client_without_an_interpreter(tmp_path: Path, sklearn_dir: Path) -> None:
    from aip_magics.prediction import ForkServerPool, start

    spec = WorkerSpec(sklearn_dir, python=str(tmp_path / "python9"), trusted=True)
    with ForkServerPool() as pool, pytest.raises(WorkerError, match="python9 cannot be run: No such file"):
        start(spec, log_dir=tmp_path / "logs", fork_servers=pool)


def test_worker_client_with_an_interpreter_that_is_none(tmp_path: Path, sklearn_dir: Path) -> None:
    from aip_magics.prediction import start

    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho I am no Python >&2\nexit 5\n")
    fake.chmod(0o755)
    with pytest.raises(WorkerError, match="exited with code 5 while starting") as caught:
        start(WorkerSpec(sklearn_dir, python=str(fake), trusted=True), log_dir=tmp_path / "logs")
    assert "I am no Python" in caught.value.log


OWNER = """
    import sys, threading, time
    from pathlib import Path
    from aip_magics.prediction import ForkServerPool, WorkerSpec, start
    pool = ForkServerPool() if sys.argv[2] == "forked" else None
    worker = start(WorkerSpec(Path(sys.argv[1]), trusted=True), log_dir=Path(sys.argv[3]), fork_servers=pool)
    worker.load()
    threading.Thread(target=worker.predict, args=(b'{"instances": [1]}', 600.0), daemon=True).start()
    time.sleep(0.3)
    print(worker.pid, *(pool.pids() if pool else []), worker._process.temp_dir, flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("way", ["forked", "spawned"])
def test_worker_does_not_outlive_a_killed_owner(
    way: str, built: Callable[..., Path], tmp_path: Path, gone: Callable[..., bool]
) -> None:
    directory = built(model("time.sleep(600)"))
    home = str(Path(aip_magics.__file__).parents[1])
    owner = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(OWNER), str(directory), way, str(tmp_path / "logs")],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": home},
    )
    assert owner.stdout is not None
    with owner:
        *pids, temp_dir = owner.stdout.readline().decode().split()
        owner.kill()
    assert len(pids) == (2 if way == "forked" else 1)
    assert all(gone(int(pid)) for pid in pids)
    until = time.monotonic() + 5.0
    while Path(temp_dir).exists() and time.monotonic() < until:
        time.sleep(0.02)  # the directory is removed after the worker ended
    assert not Path(temp_dir).exists()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # raised by this process, which has threads
def test_worker_is_neither_ended_nor_kept_by_a_fork_of_its_owner(started: Start, sklearn_dir: Path) -> None:
    worker = started(sklearn_dir)
    worker.load()
    pid = os.fork()
    if pid == 0:
        try:
            worker.close()
        finally:
            os._exit(0 if worker._process.sock.fileno() == -1 else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert json.loads(worker.predict(BODY, 30.0)) == {"predictions": [0]}
