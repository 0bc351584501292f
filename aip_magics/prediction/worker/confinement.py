"""What a worker gives up before it opens anything of a model: on Linux, for good, for all that it starts later.

Trusted or not: a model's code may read what an interpreter needs and the model, and write to its own temporary
directory. A model of a framework needs neither a network nor other programs, and has none. A routine and packages of
the user's own are programs, and keep both.

Landlock and seccomp bind the thread that asks for them and what it starts: no other thread may be there yet.
"""

# ruff: noqa: UP032

import importlib
import os
import sys
import threading
from typing import Any

from . import file_access, landlock, seccomp
from .load import import_joblib
from .thread_limits import find, set_thread_limit

NOT_LINUX, NO_LANDLOCK, NO_SECCOMP, THREADS, REFUSED = (
    "not Linux", "no Landlock", "no seccomp", "threads", "refused"
)  # fmt: skip
LISTS = ("globals", "graph_ops")  # what a model may name: files that lie beside the rest of aip_magics
PICKLES = ("model.joblib", "model.pkl")
_held = []  # type: list[int]


def confine(header: "dict[str, Any]", temp_dir: str) -> "dict[str, Any]":
    """Confine this process for the model of a `load` request. What holds then, and why not all of it, if so.

    `files`, `network` and `processes` are true where they are out of reach. `open` says that network and programs
    stay because the model is a program of the user's. `by` names what holds it. `why` is one of the words above.
    """
    held = {"files": False, "network": False, "processes": False, "open": False, "by": "", "why": ""}
    wanted = header.get("confinement")
    if wanted is None:
        return held
    if not sys.platform.startswith("linux"):
        return dict(held, why=NOT_LINUX)
    own_code = bool(wanted.get("programs"))
    if not own_code:
        before(header["model_dir"], header.get("threads") or 1)
    threads = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1
    try:
        by_landlock(held, header, temp_dir, own_code)
        by_seccomp(held, own_code)
    except OSError as error:
        sys.stderr.write("the system refuses to confine this process: {}\n".format(error))
        held["why"] = REFUSED
    held["open"] = own_code
    if threads > 1 and held["by"]:
        held.update(files=False, network=False, processes=False, why=THREADS)  # it does not bind those
    if held["files"] and temp_dir:
        os.environ["HOME"] = temp_dir  # libraries keep caches there
    return held


def by_landlock(held: "dict[str, Any]", header: "dict[str, Any]", temp_dir: str, own_code: bool) -> None:
    abi = landlock.version()
    if not abi:
        held["why"] = NO_LANDLOCK
        return
    readable = (header.get("packages") or []) + [header[name] for name in LISTS if header.get(name)]
    rules = file_access.rules(header["model_dir"], readable, temp_dir, own_code)
    _held.extend(landlock.restrict(abi, rules, own_code))
    held.update(files=True, processes=abi >= 6, by="Landlock ABI {}".format(abi))


def by_seccomp(held: "dict[str, Any]", own_code: bool) -> None:
    if not seccomp.possible():
        held["why"] = held["why"] or NO_SECCOMP
        return
    # A routine may start programs and end them: without Landlock's word for it nobody can tell whose they are.
    signals = not own_code and not held["processes"]
    seccomp.apply(not own_code, signals)
    held.update(network=not own_code, processes=held["processes"] or signals)
    held["by"] = ", ".join(filter(None, [held["by"], "seccomp"]))


def before(model_dir: str, threads: int) -> None:
    """Import joblib, which a pickle needs anyway: it looks once whether there are semaphores, and without them it
    does everything in one thread. NumPy comes with it, whose threads must not be started yet."""
    if "joblib" not in sys.modules and any(os.path.exists(os.path.join(model_dir, name)) for name in PICKLES):
        set_thread_limit(1)
        try:
            import_joblib()
            if threads > 1:
                importlib.import_module("threadpoolctl")
                find()
        except Exception:  # noqa: BLE001, S110 (who needs it will say so)
            pass


def after(protection: "dict[str, Any]") -> None:
    """Where no process can be started, joblib's `n_jobs` are threads, and a lock is one between threads."""
    joblib = sys.modules.get("joblib") or sys.modules.get("sklearn.externals.joblib")
    parallel = getattr(joblib, "parallel", None)  # type: Any
    backend = getattr(parallel, "ThreadingBackend", None)
    if not protection["network"] or backend is None:
        return
    for name in ("loky", "multiprocessing"):
        parallel.register_parallel_backend(name, backend)
    try:
        from multiprocessing import synchronize
    except ImportError:
        return
    # A pool of threads waits with the lock of processes, which lies in shared memory.
    synchronize.Lock = lambda **_: threading.Lock()  # type: ignore[assignment,misc]
    synchronize.RLock = lambda **_: threading.RLock()  # type: ignore[assignment,misc]
