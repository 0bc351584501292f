"""What the result of a local trial depends on: files, instances, interpreter, libraries, environment variables."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import os
import platform
import stat
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

import aip_magics
from aip_magics.artifacts import File, Listing, list_files
from aip_magics.catalog import pickle_globals
from aip_magics.deploy.trial import Trial
from aip_magics.errors import ModelDirError
from aip_magics.prediction.worker_environ import worker_environ
from aip_magics.storage import DigestCache

_FORMAT = 1  # of the key and of what is stored under it
_PACKAGE = Path(aip_magics.__file__).parent
_DECISIVE_PARTS = ("prediction", "catalog")  # of this package: the worker, and what it lets a model use
_SITE_NAMES = ("site-packages", "dist-packages")
_INSTALLED_SUFFIXES = (".dist-info", ".egg-info", ".egg-link", ".pth", ".py")
_CUSTOMIZATIONS = ("sitecustomize", "usercustomize")  # modules that every Python imports at its start
_UNREADABLE_KINDS = ("link", "unreadable", "special", "name")  # a worker may read what these entries lead to

_Stamp = tuple[int, int, int, int]  # size, mtime, ctime, inode


@dataclasses.dataclass(frozen=True)
class TrialInputs:
    """The inputs of one trial, as they were when this value was built.

    Attributes:
        key: Digest of all inputs but the content of the files; it begins with the `case` of the trial.
        files: All files that the worker may read.
        stamps: Size, times and inode of each file.
        settled: Whether every file has been unchanged for so long that a later change shows in its stamp.
        installed_ns: When interpreter, libraries and this package changed last, in nanoseconds since the epoch.
    """

    key: str
    files: tuple[File, ...]
    stamps: tuple[_Stamp, ...]
    settled: bool
    installed_ns: int

    def content_digest(self, digests: DigestCache) -> str:
        """Digest of the current content of the files, which are read unless `digests` has them. Raises OSError."""
        with digests:
            digests.prefetch(file.path for file in self.files)
            found = [(file.name, digests.get(file.path)) for file in self.files]
        return _digest([[name, one.size, one.content_hash] for name, one in found])


def trial_inputs(trial: Trial) -> TrialInputs | None:
    """Collect the inputs of a trial, without reading its files; None if the result may depend on other things, too.

    The user's own code may read anything: the clock, the network, a file elsewhere. So a custom prediction routine, a
    model with packages and a model that needs trust have no inputs, and their trials always run. The same holds where
    files change without a trace: libraries in a source tree (editable install, PYTHONPATH), links to directories.
    """
    if trial.packages or trial.prediction_class or not trial.listed_code_only:
        return None
    started = time.time_ns()
    try:
        listing = _list(trial.model_dir)
        libraries = _libraries(trial.python)
        if libraries is None or listing.truncated or any(one.kind in _UNREADABLE_KINDS for one in listing.left_out):
            return None
        statuses = [os.stat(file.path) for file in listing.files]
        interpreter = os.stat(trial.python)
        code, code_ns = _code_state()
    except (OSError, ModelDirError):
        return None
    system = platform.uname()
    rest = _digest(
        {
            "format": _FORMAT,
            "version": aip_magics.__version__,
            "code": code,
            "framework": trial.framework,
            "trusted": trial.trusted,
            "trusted_modules": trial.trusted_modules,
            # This process's version: that of another interpreter changes with its file and its directories.
            "interpreter": [trial.python, os.path.realpath(trial.python), _stamp(interpreter), sys.version],
            "libraries": [[directory, *entries] for directory, entries in libraries.items()],
            # Only hashed, and without secrets: what a worker inherits.
            "environ": sorted(worker_variables(trial, os.environ).items()),
            "platform": [system.system, system.node, system.release, system.machine],
        }
    )
    settled = all(DigestCache.is_settled(status, started) for status in statuses)
    return TrialInputs(
        key=f"{_case(trial.body, listing)}-{rest[:48]}",
        files=listing.files,
        stamps=tuple(map(_stamp, statuses)),
        settled=settled,
        installed_ns=max(
            code_ns, _changed_ns(interpreter), *(ns for found in libraries.values() for _name, ns in found)
        ),
    )


def worker_variables(trial: Trial, variables: Mapping[str, str]) -> dict[str, str]:
    """The environment variables that the trial's worker inherits from these: no secrets are among them."""
    return worker_environ(variables, trial.python, threads=1)


def trial_case(model_dir: Path, body: bytes) -> str:
    """Digest of the instances and of the names and sizes of the files: the first part of a key. Raises as listing."""
    return _case(body, _list(model_dir))


def _case(body: bytes, listing: Listing) -> str:
    return _digest([hashlib.sha256(body).hexdigest(), [[file.name, file.size] for file in listing.files]])[:16]


def _list(model_dir: Path) -> Listing:
    # The pattern adds hidden files, which may be assets of a SavedModel.
    return list_files(model_dir, include=("*",), on_disk=True)


def _stamp(status: os.stat_result) -> _Stamp:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _changed_ns(status: os.stat_result) -> int:
    if status.st_nlink > 1 and stat.S_ISREG(status.st_mode):
        return status.st_mtime_ns  # uv links files into environments: each further link changes ctime
    return max(status.st_mtime_ns, status.st_ctime_ns)  # installers may set mtime back


def _libraries(python: str) -> dict[str, list[tuple[str, int]]] | None:
    """What is installed for an interpreter, by directory, with times; None if a library is in a source tree."""
    if python == sys.executable:
        directories = [Path(path) for path in sys.path if Path(path).name in _SITE_NAMES]
        if any(_is_source_tree(library, directories) for library in _library_names()):
            return None
        try:
            customizations = list(_customizations())
        except (ImportError, ValueError):
            return None
        conda = Path(sys.prefix, "conda-meta")  # has an entry for each package, those that are not Python's as well
    else:
        customizations = []
        prefix = Path(python).parent.parent  # of a built environment, which ignores PYTHONPATH
        directories = [*prefix.glob("lib/python*/site-packages"), prefix / "Lib" / "site-packages"]
        conda = prefix / "conda-meta"
    found = {str(directory): list(_installed(directory)) for directory in [*directories, conda] if directory.is_dir()}
    return {**found, "": customizations} if found else None


def _customizations() -> Iterator[tuple[str, int]]:
    """The modules that this Python imports at its start, with the times of their files, wherever these are."""
    for module in _CUSTOMIZATIONS:
        spec = _find_spec(module)
        if spec is not None and spec.origin is not None:
            yield spec.origin, _changed_ns(os.stat(spec.origin))


def _installed(directory: Path) -> Iterator[tuple[str, int]]:
    """Names and times of the installed distributions and single modules, after the time of the directory itself."""
    yield "", _changed_ns(directory.stat())
    with os.scandir(directory) as entries:
        names = sorted((entry for entry in entries if entry.name.endswith(_INSTALLED_SUFFIXES)), key=lambda e: e.name)
    for entry in names:
        yield entry.name, _changed_ns(entry.stat())


def _library_names() -> frozenset[str]:
    """The libraries that a model may use without trust, by their top-level modules."""
    return (pickle_globals.libraries() | {"tensorflow", "keras"}) - sys.stdlib_module_names


def _is_source_tree(library: str, site_directories: Sequence[Path]) -> bool:
    """Whether this Python imports a library from elsewhere than the directories of installed distributions."""
    try:
        spec = _find_spec(library)
    except (ImportError, ValueError):
        return True
    if spec is None or spec.origin is None:  # not installed, or a mere directory of this name
        return False
    return not any(directory in Path(spec.origin).parents for directory in site_directories)


def _find_spec(module: str) -> ModuleSpec | None:
    """Find a module as a worker of this Python does: this process's import path may be older than PYTHONPATH."""
    in_python_path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    ahead = PathFinder.find_spec(module, [path for path in in_python_path if path])
    return ahead if ahead and ahead.origin else importlib.util.find_spec(module)


def _code_state() -> tuple[str, int]:
    """Digest of the code of this package that decides a prediction, and the time of its last change.

    An editable install changes without a new version.
    """
    digest, changed = hashlib.sha256(), 0
    for part in _DECISIVE_PARTS:
        for path in sorted(path for path in (_PACKAGE / part).rglob("*") if path.suffix in (".py", ".json", ".toml")):
            digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
            changed = max(changed, _changed_ns(path.stat()))
    return digest.hexdigest(), changed


def _digest(value: Any) -> str:
    # Names of files may hold surrogates.
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
