"""Build the environment of a runtime version or of a model with uv, once per list of libraries."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from aip_magics.catalog import ModelEnvironment
from aip_magics.directory_cache import DirectoryCache
from aip_magics.errors import RuntimeEnvironmentError
from aip_magics.i18n import gettext as _
from aip_magics.prediction import interpreters, subprocess_tools
from aip_magics.prediction.environments.pins import COLUMNS, build_pins, get_runtime
from aip_magics.prediction.environments.pythons import find_python
from aip_magics.prediction.packages.install_errors import find_full_disk, find_reason, is_network_error

DEADLINE = 1800.0  # seconds; TensorFlow is half a gigabyte
_OLDEST_PYTHON = (3, 7)  # that uv builds environments for
_RECORD = "aip-environment.json"


@dataclasses.dataclass(frozen=True)
class RuntimeEnvironment:
    """A built environment: its interpreter, the interpreter's version, and the version of each distribution in it."""

    python: Path
    python_version: str
    libraries: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class EnvironmentUnavailable:
    """The environment cannot be built on this machine, and why: nothing was run, so nothing passed or failed."""

    reason: str
    fix: str


def prepare_environment(
    runtime_version: str,
    python_version: str | None,
    cache: Path,
    *,
    extra_packages: Sequence[str] = (),
    framework: str | None = None,
    deadline: float = DEADLINE,
    on_line: subprocess_tools.OnLine | None = None,
    environ: Mapping[str, str] | None = None,
) -> RuntimeEnvironment | EnvironmentUnavailable:
    """Get the environment of a runtime version for a framework, built in `cache/environments` if it does not exist.

    Args:
        runtime_version: the runtime version, `2.11`.
        python_version: the Python version, `3.7`; None uses the newest of the runtime.
        cache: the directory of environments and installed packages.
        extra_packages: further distributions, see `build_pins`.
        framework: the API's name of the framework; None stands for scikit-learn.
        deadline: seconds for the build.
        on_line: called with each line of the build's output.
        environ: the environment variables; None uses those of this process.

    Returns:
        The environment, or EnvironmentUnavailable if the runtime's Python is not installed on this machine.

    Raises:
        FieldError: the runtime version does not exist or does not support the Python version.
        RuntimeEnvironmentError: the build failed or timed out, usually for lack of a network.
    """
    runtime, version = get_runtime(runtime_version, python_version)
    pins = build_pins(runtime, framework, extra_packages)
    if tuple(map(int, version.split("."))) < _OLDEST_PYTHON:
        reason = _(
            "runtime {runtime_version} uses Python {version}, for which environments can no longer be built",
            runtime_version=runtime_version,
            version=version,
        )
        return EnvironmentUnavailable(reason, _("use runtime version 1.15 or newer, which has Python 3.7"))
    base = find_python(version, environ)
    if base is None:
        reason = _(
            "Python {version} of runtime {runtime_version} is not installed on this machine",
            version=version,
            runtime_version=runtime_version,
        )
        uv = f"{sys.executable} -m uv python install {version}"
        return EnvironmentUnavailable(reason, _("{uv}   (or: {pyenv})", uv=uv, pyenv=f"pyenv install {version}"))
    return build(base, pins, cache, deadline=deadline, on_line=on_line, environ=environ)


def prepare_model_environment(
    environment: ModelEnvironment,
    cache: Path,
    *,
    python_version: str | None = None,
    deadline: float = DEADLINE,
    on_line: subprocess_tools.OnLine | None = None,
    environ: Mapping[str, str] | None = None,
) -> RuntimeEnvironment | EnvironmentUnavailable:
    """Get the environment of a model's own libraries, built in `cache/environments` if it does not exist.

    Args:
        environment: the requirements, and the Pythons that have wheels of them.
        cache: the directory of environments and installed packages.
        python_version: the Python version, `3.10`; None uses this Python if it has the wheels, else the first of the
            environment's Pythons that is installed on this machine.
        deadline: seconds for the build.
        on_line: called with each line of the build's output.
        environ: the environment variables; None uses those of this process.

    Returns:
        The environment, or EnvironmentUnavailable if none of the Pythons is installed on this machine.

    Raises:
        RuntimeEnvironmentError: the build failed or timed out, usually for lack of a network.
    """
    this_python = ".".join(map(str, sys.version_info[:2]))
    versions = list(environment.pythons or (this_python,))
    if this_python in versions:
        versions.sort(key=lambda version: version != this_python)
    if python_version:
        versions = [python_version]
    for version in versions:
        base = find_python(version, environ)
        if base is not None:
            return build(
                base, environment.pins, cache, env="model", deadline=deadline, on_line=on_line, environ=environ
            )
    reason = _(
        "the model's libraries require one of these Python versions, none of which is installed: {versions}",
        versions=", ".join(versions),
    )
    uv = f"{sys.executable} -m uv python install {versions[0]}"
    return EnvironmentUnavailable(reason, _("{uv}   (or: {pyenv})", uv=uv, pyenv=f"pyenv install {versions[0]}"))


def build(
    base: Path,
    pins: Sequence[str],
    cache: Path,
    *,
    env: str = "runtime",
    deadline: float = DEADLINE,
    on_line: subprocess_tools.OnLine | None = None,
    environ: Mapping[str, str] | None = None,
) -> RuntimeEnvironment:
    """Build an environment of the interpreter `base` with the requirements `pins`, in `cache/environments/HASH`.

    `env` is the value of `--env` that asked for it, for errors.
    """
    folder = cache.absolute() / "environments"
    version = interpreters.get_python_version(str(base))
    key = hashlib.sha256("\0".join([version, interpreters.get_platform_tag(str(base)), *pins]).encode()).hexdigest()

    def fill(partial: Path) -> None:
        _Builder(partial, deadline, on_line, environ, env).run(base, pins)

    try:
        directory = environment_cache(cache).get_or_build(key, fill, lock_timeout=deadline, is_usable=_is_complete)
    except TimeoutError as error:
        raise RuntimeEnvironmentError(
            _("could not build the environment: {reason}", reason=error),
            where=str(folder),
            fix=_("run the command again"),
        ) from None
    record = json.loads((directory / _RECORD).read_text("utf-8"))
    return RuntimeEnvironment(_get_python(directory), version, record["libraries"])


def environment_cache(cache: Path) -> DirectoryCache:
    """The cache of environments. Only the embedded server, which knows its versions, deletes entries of it."""
    return DirectoryCache(cache.absolute() / "environments", max_bytes=math.inf, max_age=math.inf)


def is_environment(python: str, cache: Path) -> bool:
    """Whether an interpreter is that of an environment in `cache`: packages are installed with their requirements."""
    return Path(python).is_relative_to(cache.absolute() / "environments")


def _is_complete(folder: Path) -> bool:
    """Whether the environment was finished and its base interpreter still exists."""
    return (folder / _RECORD).is_file() and _get_python(folder).exists()


def _get_python(folder: Path) -> Path:
    return folder / "Scripts" / "python.exe" if sys.platform == "win32" else folder / "bin" / "python"


class _Builder:
    def __init__(
        self,
        folder: Path,
        deadline: float,
        on_line: subprocess_tools.OnLine | None,
        environ: Mapping[str, str] | None,
        env: str,
    ) -> None:
        self._folder = folder
        self._scratch = folder.with_name(f"{folder.name}.tmp")
        self._deadline = deadline
        self._on_line = on_line
        self._environ = environ
        self._where = _("environment of the runtime version") if env == "runtime" else f"--env {env}"

    def run(self, base: Path, pins: Sequence[str]) -> None:
        self._scratch.mkdir(exist_ok=True)
        try:
            # Relocatable: the directory is renamed once it is complete.
            self._uv("venv", "--quiet", "--no-project", "--relocatable", "--python", str(base), str(self._folder))
            python = str(_get_python(self._folder))
            # Building one of these libraries from source takes an hour and a compiler of the same age.
            names = [name for name in COLUMNS if any(pin.startswith(name) for pin in pins)]
            wheels = [word for name in (*names, "scipy") for word in ("--only-binary", name)]
            self._uv("pip", "install", "--no-progress", "--python", python, *wheels, *pins)
            found = interpreters.inspect_interpreter(python, self._environ)
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)
        record = {"base": os.fspath(base), "pins": list(pins), "libraries": dict(sorted(found.installed.items()))}
        (self._folder / _RECORD).write_text(json.dumps(record, indent=2), "utf-8")

    def _uv(self, *words: str) -> None:
        variables = subprocess_tools.tool_environ(self._environ, "", self._scratch, registry=True)
        ran = subprocess_tools.run(
            subprocess_tools.uv_command(*words),
            cwd=self._scratch,
            variables=variables,
            deadline=self._deadline,
            on_line=self._on_line,
        )
        if ran.code == 0:
            return
        lines = [line.strip() for line in ran.lines if line.strip()]
        if is_network_error("\n".join(lines)):
            request = next((line for line in lines if "failed to fetch" in line.lower()), "")
            reason = ": ".join(filter(None, [request.removeprefix("cause: "), find_reason(lines)]))
            raise RuntimeEnvironmentError(
                _("could not download the libraries: {reason}", reason=reason),
                where=self._where,
                fix=_("connect to the network, set UV_INDEX_URL to a mirror, or use --env current"),
            )
        if full := find_full_disk(lines, self._folder.parent):
            raise full
        text = "\n".join([_("could not build the environment:"), *(f"    {line}" for line in lines[-6:])])
        raise RuntimeEnvironmentError(text, where=self._where, fix=_("use --env current"))
