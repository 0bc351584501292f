"""What a worker process holds, and how to start a process for it."""

from __future__ import annotations

import dataclasses
import os
import shutil
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aip_magics import catalog
from aip_magics.errors import ModelDirError
from aip_magics.i18n import gettext as _
from aip_magics.prediction.fork_server_pool import ForkServerPool
from aip_magics.prediction.worker_environ import worker_environ
from aip_magics.prediction.worker_process import ForkedProcess, ProcessResources, WorkerProcess, spawn

NO_PRELOAD = "NOTHING"  # what a fork server imports for a worker that may have no framework imported
IMPORTED = ("numpy", "scipy", "sklearn", "joblib", "pandas", "xgboost", "tensorflow", "keras")  # by fork servers


@dataclasses.dataclass(frozen=True)
class WorkerSpec:
    """What a worker is to hold.

    `framework` is the API's name (TENSORFLOW, SCIKIT_LEARN, XGBOOST); None lets the files and the object in them
    decide. `python` is the interpreter that runs it, `threads` bounds the threads of OpenMP, BLAS and TensorFlow.
    `packages` are directories of installed packages that come first on the model's path. `prediction_class` is the
    routine `module.Class` that predicts instead of a framework; `package_uris` are only named when it is not found.
    What is not `trusted` may name listed globals only, those of its packages, and those of `trusted_modules`.
    `variables` are set in the worker before the model is loaded, beside the few that every worker inherits.
    """

    model_dir: Path
    framework: str | None = None
    python: str = sys.executable
    threads: int = 1
    packages: tuple[Path, ...] = ()
    prediction_class: str | None = None
    package_uris: tuple[str, ...] = ()
    trusted: bool = False
    trusted_modules: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def preload(self) -> str:
        """The framework to have imported before the model is looked at; NO_PRELOAD if none may be."""
        if self.prediction_class or _brings_its_own(self.packages):
            return NO_PRELOAD
        return self.framework or _framework_of(self.model_dir)

    def load_header(self, temp_dir: Path) -> dict[str, Any]:
        """The header of the `load` request."""
        return {
            "op": "load",
            "model_dir": str(self.model_dir.absolute()),
            "framework": self.framework,
            "threads": self.threads,
            "packages": [str(directory.absolute()) for directory in self.packages],
            "prediction_class": self.prediction_class,
            "package_uris": list(self.package_uris),
            "globals": None if self.trusted else str(catalog.pickle_globals.path()),
            "graph_ops": None if self.trusted else str(catalog.graph_ops_path()),
            "trusted_modules": list(self.trusted_modules),
            "variables": dict(self.variables),
            "temp_dir": str(temp_dir),
            # A routine and packages are programs of the user's own: they may start others, and use the network.
            "confinement": {"programs": bool(self.prediction_class or self.packages)},
        }


def _framework_of(model_dir: Path) -> str:
    if any((model_dir / name).exists() for name in ("saved_model.pb", "saved_model.pbtxt")):
        return "TENSORFLOW"
    return "XGBOOST" if (model_dir / "model.bst").exists() else "SCIKIT_LEARN"


def _brings_its_own(packages: tuple[Path, ...]) -> bool:
    # What a fork server has imported already would win over what the packages bring, and the two would be mixed.
    return any((directory / name).exists() for directory in packages for name in IMPORTED)


def start_process(
    spec: WorkerSpec,
    *,
    log_dir: Path,
    fork_servers: ForkServerPool | None = None,
    environ: Mapping[str, str] | None = None,
) -> WorkerProcess:
    """A process for `spec`, forked by a fork server of the pool or spawned; it has not said hello yet.

    ModelDirError if there is no such directory, WorkerError if the interpreter cannot be run. `environ` is what the
    environment of a spawned worker is made from; None takes this process's.
    """
    if not spec.model_dir.is_dir():
        is_file = spec.model_dir.exists()
        raise ModelDirError(
            _("the model directory is not a directory") if is_file else _("the model directory does not exist"),
            where=str(spec.model_dir),
            fix=_("name the directory"),
        )
    resources = ProcessResources.make(log_dir)
    try:
        if fork_servers is not None:
            forked = _fork(spec, fork_servers, resources)
            if forked is not None:
                return forked
        variables = worker_environ(os.environ if environ is None else environ, spec.python, spec.threads)
        sock, handle = spawn(spec.python, resources, variables)
        return WorkerProcess(sock, handle, resources)
    except BaseException:
        shutil.rmtree(resources.temp_dir, ignore_errors=True)
        raise
    finally:
        os.close(resources.log_fd)


def _fork(spec: WorkerSpec, fork_servers: ForkServerPool, resources: ProcessResources) -> WorkerProcess | None:
    ours, theirs = socket.socketpair()
    with theirs:
        # One fork server for workers with any number of threads: each is told its own when it loads.
        lifeline = fork_servers.fork((spec.python, spec.preload, 1), theirs, resources.log_fd, resources.temp_dir)
    if lifeline is None:
        ours.close()
        return None
    return WorkerProcess(ours, ForkedProcess(lifeline), resources)
