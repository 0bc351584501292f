"""Prepare the runtime of a prediction: this Python, the environment of a runtime version or of a model; packages."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from aip_magics import catalog
from aip_magics.artifacts import ModelDir, inspect_model_dir, resolve_export
from aip_magics.errors import RuntimeEnvironmentError
from aip_magics.i18n import gettext as _
from aip_magics.prediction import interpreters, subprocess_tools
from aip_magics.prediction.environments import (
    EnvironmentUnavailable,
    prepare_environment,
    prepare_model_environment,
)
from aip_magics.prediction.environments.pins import COLUMNS
from aip_magics.prediction.local import framework_name, resolve_model_dir
from aip_magics.prediction.packages import install

Env = Literal["current", "runtime", "model"]
ENVS: tuple[Env, ...] = get_args(Env)
_BEFORE_VERSIONS = "0.90"  # the last XGBoost that does not write its version into a model


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
            "model" does the same with an environment of the library versions that saved the model.
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
    if env == "model":
        return _prepare_for_model(found, framework, cache, python_version, packages, trusted, on_line, environ)
    chosen, reason = _choose_runtime(runtime_version, framework, found.libraries)
    # A pickled model may need libraries other than its framework.
    extra = [library for library in found.libraries if library in COLUMNS]
    runtime = prepare_environment(
        chosen, python_version, cache, extra_packages=extra, framework=framework, on_line=on_line, environ=environ
    )
    if isinstance(runtime, EnvironmentUnavailable):
        return runtime
    python = str(runtime.python)
    installed = _install(packages, python, cache, trusted, on_line, environ)
    values = {"python_version": runtime.python_version, "python": python, "runtime": chosen}
    if reason:
        text = _(
            "Python {python_version} at {python}, environment of runtime {runtime} ({reason})", **values, reason=reason
        )
    else:
        text = _("Python {python_version} at {python}, environment of runtime {runtime}", **values)
    return PreparedRuntime(python, installed, text)


def get_model_libraries(found: ModelDir, framework: str | None) -> Mapping[str, str]:
    """Return the libraries that saved a model, by distribution, as far as its files name them."""
    libraries = dict(found.libraries)
    saved_model, booster = found.saved_model, found.contents.booster if found.contents else None
    if framework == "TENSORFLOW" and saved_model and saved_model.tensorflow_version:
        libraries["tensorflow"] = saved_model.tensorflow_version
    if booster and booster.format == "binary" and booster.version is None:
        libraries["xgboost"] = _BEFORE_VERSIONS
    return libraries


def _prepare_for_model(
    found: ModelDir,
    framework: str | None,
    cache: Path,
    python_version: str | None,
    packages: Sequence[Path],
    trusted: Collection[str],
    on_line: subprocess_tools.OnLine | None,
    environ: Mapping[str, str] | None,
) -> PreparedRuntime | EnvironmentUnavailable:
    libraries = get_model_libraries(found, framework)
    where = "--env model"
    if not libraries:
        raise RuntimeEnvironmentError(
            _("the model does not contain the version of the library that saved it"),
            where=where,
            fix=_("use --env runtime --runtime-version X.Y"),
        )
    pickled = found.contents.pickle if found.contents else None
    modules = {one.module for one in pickled.globals} if pickled else ()
    text = ", ".join(f"{name} {version}" for name, version in libraries.items())
    environment = catalog.find_model_environment(libraries, modules)
    if environment is None:
        raise RuntimeEnvironmentError(
            _("no Python version has wheels of {libraries} together", libraries=text),
            where=where,
            fix=_("train and save the model again with the libraries of one environment"),
        )
    built = prepare_model_environment(
        environment, cache, python_version=python_version, on_line=on_line, environ=environ
    )
    if isinstance(built, EnvironmentUnavailable):
        return built
    python = str(built.python)
    summary = _(
        "Python {python_version} at {python}, environment of the model's libraries ({libraries})",
        python_version=built.python_version,
        python=python,
        libraries=text,
    )
    return PreparedRuntime(python, _install(packages, python, cache, trusted, on_line, environ), summary)


def _install(
    packages: Sequence[Path],
    python: str,
    cache: Path,
    trusted: Collection[str],
    on_line: subprocess_tools.OnLine | None,
    environ: Mapping[str, str] | None,
) -> tuple[Path, ...]:
    """Install packages with their requirements, as the service does."""
    if not packages:
        return ()
    return (
        install(packages, python, cache, trusted=trusted, with_requirements=True, on_line=on_line, environ=environ),
    )


def _choose_runtime(
    requested: str | None, framework: str | None, libraries: Mapping[str, str]
) -> tuple[str, str | None]:
    """The runtime version, and the reason for it unless it was requested."""
    if requested:
        return requested, None
    match = catalog.match_runtime_to_all(framework or "", libraries)
    return match.runtime or catalog.runtimes()[0].version, match.reason


def unavailable_error(skipped: EnvironmentUnavailable, env: Env = "runtime") -> RuntimeEnvironmentError:
    """The error for a prediction that requires the unavailable environment."""
    return RuntimeEnvironmentError(
        _("could not prepare the runtime environment: {reason}", reason=skipped.reason),
        where=f"--env {env}",
        fix=skipped.fix,
    )
