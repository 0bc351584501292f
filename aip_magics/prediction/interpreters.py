"""What an interpreter is and has: its version, its libraries, asked from itself."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import platform
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from pathlib import Path

from aip_magics.errors import PredictionError
from aip_magics.i18n import gettext as _
from aip_magics.prediction import subprocess_tools, worker_environ

PROBE_SECONDS = 60.0
_MARK = "aip-magics:"  # sitecustomize and .pth files may print, too

# Runs on any Python from 3.5 on. The names are those of environment markers (PEP 508).
_PROBE = """
import json, os, platform, sys
found = {}
try:
    from importlib import metadata
    for dist in metadata.distributions():
        found.setdefault(dist.metadata["Name"] or "", dist.version)
except ImportError:
    try:
        import pkg_resources
        for dist in pkg_resources.working_set:
            found.setdefault(dist.project_name, dist.version)
    except ImportError:
        pass
numbers = platform.python_version()
print("\\n" + "aip-magics:" + json.dumps({
    "installed": found,
    "folders": [path for path in sys.path if os.path.isdir(path)],
    "markers": {
        "implementation_name": sys.implementation.name,
        "implementation_version": numbers,
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": numbers,
        "python_version": ".".join(numbers.split(".")[:2]),
        "sys_platform": sys.platform,
    },
}))
"""


@dataclasses.dataclass(frozen=True)
class Interpreter:
    """An interpreter as it was when it was asked.

    `installed` maps distributions, as they spell themselves, to versions; `folders` is its path for imports; `markers`
    are the values of environment markers (PEP 508).
    """

    python: str
    installed: Mapping[str, str]
    folders: tuple[str, ...]
    markers: Mapping[str, str]

    @property
    def version(self) -> str:
        return self.markers["python_full_version"]


def inspect_interpreter(python: str, environ: Mapping[str, str] | None = None) -> Interpreter:
    """Ask an interpreter what it is and has. PredictionError where it cannot be run."""
    variables = worker_environ.worker_environ(os.environ if environ is None else environ, python, threads=1)
    with tempfile.TemporaryDirectory(prefix="aip-probe-") as empty:
        found = json.loads(_answer(python, _PROBE, variables, Path(empty)))
    return Interpreter(python, found["installed"], tuple(found["folders"]), found["markers"])


def version_of(python: str) -> str:
    """The version of an interpreter, `3.11.7`; asked once as long as the file stays the same. PredictionError."""
    if python == sys.executable:
        return platform.python_version()
    try:
        changed = os.stat(python).st_mtime_ns
    except OSError as error:
        raise _cannot_run(python, error.strerror or str(error)) from None
    return _version_of(python, changed)


def tag_of(python: str) -> str:
    """What compiled code depends on: `3.11 linux-x86_64`."""
    return f"{'.'.join(version_of(python).split('.')[:2])} {sysconfig.get_platform()}"


@functools.lru_cache(maxsize=64)
def _version_of(python: str, _changed: int) -> str:
    code = f'import platform; print("\\n{_MARK}" + platform.python_version())'
    with tempfile.TemporaryDirectory(prefix="aip-probe-") as empty:
        variables = worker_environ.worker_environ(os.environ, python, threads=1)
        return _answer(python, code, variables, Path(empty))


def _answer(python: str, code: str, variables: Mapping[str, str], empty: Path) -> str:
    try:
        ran = subprocess_tools.run([python, "-c", code], cwd=empty, variables=variables, deadline=PROBE_SECONDS)
    except (OSError, TimeoutError) as error:
        raise _cannot_run(python, getattr(error, "strerror", None) or str(error)) from None
    answers = [line for line in ran.lines if line.startswith(_MARK)]
    if ran.code != 0 or not answers:
        raise _cannot_run(python, ran.lines[-1] if ran.lines else _("exit code {code}", code=ran.code))
    return answers[-1].removeprefix(_MARK)


def _cannot_run(python: str, reason: str) -> PredictionError:
    fix = _("name an existing Python interpreter")
    return PredictionError(
        "FAILED_TO_LOAD_MODEL",
        _("the interpreter {python} cannot be run: {reason}", python=python, reason=reason),
        fix=fix,
    )
