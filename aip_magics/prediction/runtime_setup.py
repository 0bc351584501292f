"""Prepare the runtime of a local prediction: this Python or a runtime version's environment, and the packages."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

from aip_magics import catalog
from aip_magics.artifacts import inspect_model_dir, resolve_export
from aip_magics.errors import RuntimeEnvironmentError
from aip_magics.i18n import gettext as _
from aip_magics.prediction import interpreters, subprocess_tools
from aip_magics.prediction.environments import EnvironmentUnavailable, prepare_environment
from aip_magics.prediction.environments.pins import COLUMNS
from aip_magics.prediction.local import framework_name, resolve_model_dir
from aip_magics.prediction.packages import install

Env = Literal["current", "runtime"]


@dataclasses.dataclass(frozen=True)
class PreparedRuntime:
    """The interpreter and package directories to run a model with.

    Attributes:
        python: the interpreter, for `WorkerSpec`.
        packages: the directories of installed packages, for `WorkerSpec`.
        summary: one line that says which Python this is, and why.
    """

    python: str
    packages: tuple[Path, ...]
    summary: str


def prepare_runtime(
    model_dir: Path,
    cache: Path,
    *,
    env: Env = "current",
    framework: str | None = None,
    runtime_version: str | None = None,
    python_version: str | None = None,
    packages: Sequence[Path] = (),
    trusted: Collection[str] = (),
    on_line: subprocess_tools.OnLine | None = None,
    environ: Mapping[str, str] | None = None,
) -> PreparedRuntime | EnvironmentUnavailable:
    """Prepare what a model needs to predict, under `cache`: build the environment and install the packages.

    Args:
        model_dir: the model directory.
        cache: the directory of environments and installed packages.
        env: "current" uses the current interpreter, which must meet the requirements of the packages. "runtime" uses an
            environment of the runtime version and installs the packages with their requirements, as the service does.
        framework: the framework's name; None uses the one detected in the model directory.
        runtime_version: the runtime version; None chooses the one that matches the model's libraries.
        python_version: the Python version; None chooses the newest of the runtime.
        packages: archives of packages.
        trusted: sha256 digests of the archives that the user trusts.
        on_line: called with each line of a build's output.
        environ: the environment variables; None uses those of this process.

    Returns:
        The prepared runtime, or EnvironmentUnavailable if this machine lacks the runtime's Python.

    Raises:
        AipError: as raised by `prepare_environment` and `install`.
    """
    if env == "current":
        installed: tuple[Path, ...] = ()
        if packages:
            installed = (install(packages, sys.executable, cache, trusted=trusted, on_line=on_line, environ=environ),)
        summary = _(
            "Python {version} at {executable} (current interpreter)",
            version=interpreters.get_python_version(sys.executable),
            executable=sys.executable,
        )
        return PreparedRuntime(sys.executable, installed, summary)
    found = inspect_model_dir(resolve_export(resolve_model_dir(model_dir)).path, on_disk=True)
    framework = framework_name(framework) or found.framework
    chosen, reason = _choose_runtime(runtime_version, framework, found.libraries)
    # A pickled model may need libraries other than its framework.
    extra = [library for library in found.libraries if library in COLUMNS]
    runtime = prepare_environment(
        chosen, python_version, cache, extra_packages=extra, framework=framework, on_line=on_line, environ=environ
    )
    if isinstance(runtime, EnvironmentUnavailable):
        return runtime
    python = str(runtime.python)
    installed = ()
    if packages:
        package_dir = install(
            packages, python, cache, trusted=trusted, with_requirements=True, on_line=on_line, environ=environ
        )
        installed = (package_dir,)
    values = {"python_version": runtime.python_version, "python": python, "runtime": chosen}
    if reason:
        text = _(
            "Python {python_version} at {python}, environment of runtime {runtime} ({reason})", **values, reason=reason
        )
    else:
        text = _("Python {python_version} at {python}, environment of runtime {runtime}", **values)
    return PreparedRuntime(python, installed, text)


def _choose_runtime(
    requested: str | None, framework: str | None, libraries: Mapping[str, str]
) -> tuple[str, str | None]:
    """The runtime version, and the reason for it unless it was requested."""
    if requested:
        return requested, None
    match = catalog.match_runtime_to_all(framework or "", libraries)
    return match.runtime or catalog.runtimes()[0].version, match.reason


def unavailable_error(skipped: EnvironmentUnavailable) -> RuntimeEnvironmentError:
    """The error for a prediction that requires the unavailable environment."""
    return RuntimeEnvironmentError(
        _("could not prepare the runtime environment: {reason}", reason=skipped.reason),
        where=_("--env runtime"),
        fix=skipped.fix,
    )
