"""With what a local prediction runs: this Python or a runtime version's environment, and the model's own packages."""

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
from aip_magics.prediction.environments import EnvironmentUnavailable, environment
from aip_magics.prediction.environments.pins import COLUMNS
from aip_magics.prediction.local import directory, framework_name
from aip_magics.prediction.packages import install

Env = Literal["current", "runtime"]


@dataclasses.dataclass(frozen=True)
class PreparedRuntime:
    """`python` and `packages` are those of a WorkerSpec; `told` is one line that says which Python it is and why."""

    python: str
    packages: tuple[Path, ...]
    told: str


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
    """Have ready what a model is to be predicted with, under `cache`: build and install what is missing.

    `env="current"`: the Python that runs this, which must have what the packages require. `env="runtime"`: an
    environment of the runtime version (None: the one that fits what is found in the model), the packages with their
    requirements beside it, as the service does. `packages` are archives, `trusted` the
    sha256 digests of those that the user consented to. Skipped where that cannot be had on this
    machine; errors as `environment` and `install`.
    """
    if env == "current":
        here: tuple[Path, ...] = ()
        if packages:
            here = (install(packages, sys.executable, cache, trusted=trusted, on_line=on_line, environ=environ),)
        told = _(
            "Python {version} at {executable}, the one that runs this",
            version=interpreters.version_of(sys.executable),
            executable=sys.executable,
        )
        return PreparedRuntime(sys.executable, here, told)
    found = inspect_model_dir(resolve_export(directory(model_dir)).path)
    framework = framework_name(framework) or found.framework
    chosen, why = _runtime(runtime_version, framework, found.libraries)
    # A pickled model may need a library that is not its framework's.
    extra = [library for library in found.libraries if library in COLUMNS]
    made = environment(
        chosen, python_version, cache, extra_packages=extra, framework=framework, on_line=on_line, environ=environ
    )
    if isinstance(made, EnvironmentUnavailable):
        return made
    python = str(made.python)
    installed: tuple[Path, ...] = ()
    if packages:
        both = install(
            packages, python, cache, trusted=trusted, with_requirements=True, on_line=on_line, environ=environ
        )
        installed = (both,)
    told = _(
        "Python {python_version} at {python}, the environment of runtime {runtime}{why}",
        python_version=made.python_version,
        python=python,
        runtime=chosen,
        why=why,
    )
    return PreparedRuntime(python, installed, told)


def _runtime(given: str | None, framework: str | None, libraries: Mapping[str, str]) -> tuple[str, str]:
    """The runtime version, and why it is that one where nobody named it."""
    if given:
        return given, ""
    fit = catalog.match_runtime_to_all(framework or "", libraries)
    return fit.runtime or catalog.runtimes()[0].version, f" ({fit.reason})"


def skipped_error(skipped: EnvironmentUnavailable) -> RuntimeEnvironmentError:
    """The error of whoever asked for nothing but that environment."""
    return RuntimeEnvironmentError(
        _("nothing was predicted: {reason}", reason=skipped.reason), where=_("--env runtime"), fix=skipped.fix
    )
