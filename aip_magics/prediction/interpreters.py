"""Inspect a Python interpreter by running it: its version and its installed libraries."""

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
_MARKER = "aip-magics:"  # tells our line from what sitecustomize and .pth files may print

# Runs on Python 3.5 and later. The keys of "markers" are the names of environment markers (PEP 508).
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
    """What an interpreter reported about itself.

    Attributes:
        python: the path of the interpreter.
        installed: the version of each installed distribution, by its name as the distribution spells it.
        folders: the directories on the import path.
        markers: the values of environment markers (PEP 508).
    """

    python: str
    installed: Mapping[str, str]
    folders: tuple[str, ...]
    markers: Mapping[str, str]

    @property
    def version(self) -> str:
        """The full version, `3.11.7`."""
        return self.markers["python_full_version"]


def inspect_interpreter(python: str, environ: Mapping[str, str] | None = None) -> Interpreter:
    """Run an interpreter to inspect it. Raises PredictionError if it cannot be run."""
    variables = worker_environ.worker_environ(os.environ if environ is None else environ, python, threads=1)
    with tempfile.TemporaryDirectory(prefix="aip-probe-") as empty:
        found = json.loads(_run_probe(python, _PROBE, variables, Path(empty)))
    return Interpreter(python, found["installed"], tuple(found["folders"]), found["markers"])


def get_python_version(python: str) -> str:
    """Get the version of an interpreter, `3.11.7`, cached until its file changes. Raises PredictionError."""
    if python == sys.executable:
        return platform.python_version()
    try:
        changed = os.stat(python).st_mtime_ns
    except OSError as error:
        raise _cannot_run(python, error.strerror or str(error)) from None
    return _get_python_version(python, changed)


def get_platform_tag(python: str) -> str:
    """Get what compiled code depends on, Python version and platform: `3.11 linux-x86_64`."""
    return f"{'.'.join(get_python_version(python).split('.')[:2])} {sysconfig.get_platform()}"


@functools.lru_cache(maxsize=64)
def _get_python_version(python: str, _changed: int) -> str:
    code = f'import platform; print("\\n{_MARKER}" + platform.python_version())'
    with tempfile.TemporaryDirectory(prefix="aip-probe-") as empty:
        variables = worker_environ.worker_environ(os.environ, python, threads=1)
        return _run_probe(python, code, variables, Path(empty))


def _run_probe(python: str, code: str, variables: Mapping[str, str], empty: Path) -> str:
    try:
        ran = subprocess_tools.run([python, "-c", code], cwd=empty, variables=variables, deadline=PROBE_SECONDS)
    except (OSError, TimeoutError) as error:
        raise _cannot_run(python, getattr(error, "strerror", None) or str(error)) from None
    reports = [line for line in ran.lines if line.startswith(_MARKER)]
    if ran.code != 0 or not reports:
        raise _cannot_run(python, ran.lines[-1] if ran.lines else _("exit code {code}", code=ran.code))
    return reports[-1].removeprefix(_MARKER)


def _cannot_run(python: str, reason: str) -> PredictionError:
    fix = _("specify an existing Python interpreter")
    return PredictionError(
        "FAILED_TO_LOAD_MODEL",
        _("could not run the interpreter {python}: {reason}", python=python, reason=reason),
        fix=fix,
    )
