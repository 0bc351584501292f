"""Confine a worker on Linux, permanently and with all its future children, before it opens a model file.

Whether trusted or not, a model's code may read what an interpreter needs and the model, and write to its own temporary
directory. A model of a framework needs neither the network nor other programs, and gets neither. A routine and the
user's own packages are programs, and keep both.

Landlock and seccomp apply to the calling thread and its descendants, so no other thread may be running yet.
"""

# ruff: noqa: UP032

import importlib
import os
import sys
import threading
from typing import Any

from . import file_access, landlock, seccomp
from .load import import_joblib
from .thread_limits import find_libraries, set_thread_limit

NOT_LINUX, NO_LANDLOCK, NO_SECCOMP, THREADS, REFUSED = (
    "not Linux", "no Landlock", "no seccomp", "threads", "refused"
)  # fmt: skip
LISTS = ("globals", "graph_ops")  # files of aip_magics that list what a model may use
PICKLE_FILES = ("model.joblib", "model.pkl")
_open_descriptors = []  # type: list[int]


def confine(header: "dict[str, Any]", temp_dir: str) -> "dict[str, Any]":
    """Confine this process for the model of a `load` request.

    Returns:
        The `protection` of the response. `files`, `network` and `processes` are true if they are out of reach. `open`
        is true if network and programs stay available because the model is a program of the user's. `by` names the
        mechanisms. `why` is the reason for incomplete protection, one of the constants above.
    """
    held = {"files": False, "network": False, "processes": False, "open": False, "by": "", "why": ""}
    options = header.get("confinement")
    if options is None:
        return held
    if not sys.platform.startswith("linux"):
        return dict(held, why=NOT_LINUX)
    own_code = bool(options.get("programs"))
    if not own_code:
        prepare_imports(header["model_dir"], header.get("threads") or 1)
    threads = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1
    try:
        apply_landlock(held, header, temp_dir, own_code)
        apply_seccomp(held, own_code)
    except OSError as error:
        sys.stderr.write("could not confine this process: {}\n".format(error))
        held["why"] = REFUSED
    held["open"] = own_code
    if threads > 1 and held["by"]:
        held.update(files=False, network=False, processes=False, why=THREADS)  # the other threads are not confined
    if held["files"] and temp_dir:
        os.environ["HOME"] = temp_dir  # libraries write caches below HOME
    return held


def apply_landlock(held: "dict[str, Any]", header: "dict[str, Any]", temp_dir: str, own_code: bool) -> None:
    abi = landlock.version()
    if not abi:
        held["why"] = NO_LANDLOCK
        return
    readable = (header.get("packages") or []) + [header[name] for name in LISTS if header.get(name)]
    rules = file_access.rules(header["model_dir"], readable, temp_dir, own_code)
    _open_descriptors.extend(landlock.restrict(abi, rules, own_code))
    held.update(files=True, processes=abi >= 6, by="Landlock ABI {}".format(abi))


def apply_seccomp(held: "dict[str, Any]", own_code: bool) -> None:
    if not seccomp.is_supported():
        held["why"] = held["why"] or NO_SECCOMP
        return
    # A routine may start programs and end them; only Landlock can restrict signals to its own processes.
    signals = not own_code and not held["processes"]
    seccomp.apply(not own_code, signals)
    held.update(network=not own_code, processes=held["processes"] or signals)
    held["by"] = ", ".join(filter(None, [held["by"], "seccomp"]))


def prepare_imports(model_dir: str, threads: int) -> None:
    """Import joblib, which a pickle needs anyway, while semaphores are still available.

    joblib checks once for semaphores and runs everything in one thread without them. The import brings NumPy, whose
    threads must not be started yet.
    """
    if "joblib" not in sys.modules and any(os.path.exists(os.path.join(model_dir, name)) for name in PICKLE_FILES):
        set_thread_limit(1)
        try:
            import_joblib()
            if threads > 1:
                importlib.import_module("threadpoolctl")
                find_libraries()
        except Exception:  # noqa: BLE001, S110 (loading the model reports a missing joblib)
            pass


def adapt_joblib(protection: "dict[str, Any]") -> None:
    """Make joblib use threads for `n_jobs`, and thread locks, where this process cannot start others."""
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
    # A thread pool waits on a process lock, which needs shared memory.
    synchronize.Lock = lambda **_: threading.Lock()  # type: ignore[assignment,misc]
    synchronize.RLock = lambda **_: threading.RLock()  # type: ignore[assignment,misc]
