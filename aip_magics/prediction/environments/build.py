"""Build the environment of a runtime version with uv, once for the same list of libraries."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from aip_magics.errors import RuntimeEnvironmentError
from aip_magics.i18n import gettext as _
from aip_magics.prediction import cached, interpreters, subprocess_tools
from aip_magics.prediction.environments.pins import COLUMNS, pins_of, runtime_of
from aip_magics.prediction.environments.pythons import find_python
from aip_magics.prediction.packages.install_errors import no_network, reason_of

DEADLINE = 1800.0  # seconds; TensorFlow is half a gigabyte
_OLDEST = (3, 7)  # that uv makes environments for
_RECORD = "aip-environment.json"


@dataclasses.dataclass(frozen=True)
class RuntimeEnvironment:
    """An environment that is there: its interpreter, that one's version, and distribution → version of all in it."""

    python: Path
    python_version: str
    libraries: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class EnvironmentUnavailable:
    """There is no such environment and none can be built here: nothing was tried, nothing has passed."""

    reason: str
    fix: str


def environment(
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
    """The environment of a runtime version (`2.11`) for a framework, built in `cache/environments` where it is missing.

    `extra_packages` are further distributions (`pins.pins_of`). `on_line` gets the lines of the build. Skipped where
    the runtime's Python is not on this machine. FieldError where there is no such runtime, or not with this Python;
    EnvironmentFailed where it cannot be built within `deadline` seconds, for want of a network above all.
    """
    runtime, version = runtime_of(runtime_version, python_version)
    pins = pins_of(runtime, framework, extra_packages)
    if tuple(map(int, version.split("."))) < _OLDEST:
        reason = _(
            "runtime {runtime_version} has Python {version}, for which no environment can be built any more",
            runtime_version=runtime_version,
            version=version,
        )
        return EnvironmentUnavailable(reason, _("try a runtime version with Python 3.7: 1.15 or newer"))
    base = find_python(version, environ)
    if base is None:
        reason = _(
            "Python {version}, which runtime {runtime_version} has, is not on this machine",
            version=version,
            runtime_version=runtime_version,
        )
        uv = f"{sys.executable} -m uv python install {version}"
        return EnvironmentUnavailable(reason, _("{uv}   (or: {pyenv})", uv=uv, pyenv=f"pyenv install {version}"))
    return build(base, pins, cache, deadline=deadline, on_line=on_line, environ=environ)


def build(
    base: Path,
    pins: Sequence[str],
    cache: Path,
    *,
    deadline: float = DEADLINE,
    on_line: subprocess_tools.OnLine | None = None,
    environ: Mapping[str, str] | None = None,
) -> RuntimeEnvironment:
    """The environment of the interpreter `base` with the requirements `pins`, in `cache/environments/HASH`."""
    folder = cache.absolute() / "environments"
    version = interpreters.version_of(str(base))
    key = hashlib.sha256("\0".join([version, interpreters.tag_of(str(base)), *pins]).encode()).hexdigest()

    def make(partial: Path) -> None:
        _Builder(partial, deadline, on_line, environ).run(base, pins)

    try:
        made = cached.directory(folder, key, make, deadline=deadline, usable=_is_whole)
    except TimeoutError as error:
        raise RuntimeEnvironmentError(
            _("the environment could not be made in time: {reason}", reason=error),
            where=str(folder),
            fix=_("run it again"),
        ) from None
    record = json.loads((made / _RECORD).read_text("utf-8"))
    return RuntimeEnvironment(_python_of(made), version, record["libraries"])


def _is_whole(folder: Path) -> bool:
    """Whether it was finished, and the Python that it was made from is still there."""
    return (folder / _RECORD).is_file() and _python_of(folder).exists()


def _python_of(folder: Path) -> Path:
    return folder / "Scripts" / "python.exe" if sys.platform == "win32" else folder / "bin" / "python"


class _Builder:
    def __init__(
        self, folder: Path, deadline: float, on_line: subprocess_tools.OnLine | None, environ: Mapping[str, str] | None
    ) -> None:
        self._folder = folder
        self._scratch = folder.with_name(f"{folder.name}.tmp")
        self._deadline = deadline
        self._on_line = on_line
        self._environ = environ

    def run(self, base: Path, pins: Sequence[str]) -> None:
        self._scratch.mkdir(exist_ok=True)
        try:
            # Relocatable: it gets its name only when it is whole.
            self._uv("venv", "--quiet", "--no-project", "--relocatable", "--python", str(base), str(self._folder))
            python = str(_python_of(self._folder))
            # Building one of these libraries from source takes an hour and a compiler of its time.
            names = [name for name in COLUMNS if any(pin.startswith(name) for pin in pins)]
            wheels = [word for name in (*names, "scipy") for word in ("--only-binary", name)]
            self._uv("pip", "install", "--no-progress", "--python", python, *wheels, *pins)
            found = interpreters.inspect_interpreter(python, self._environ)
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)
        record = {"base": os.fspath(base), "pins": list(pins), "libraries": dict(sorted(found.installed.items()))}
        (self._folder / _RECORD).write_text(json.dumps(record, indent=2), "utf-8")

    def _uv(self, *words: str) -> None:
        variables = subprocess_tools.variables(self._environ, "", self._scratch, registry=True)
        ran = subprocess_tools.run(
            subprocess_tools.uv(*words),
            cwd=self._scratch,
            variables=variables,
            deadline=self._deadline,
            on_line=self._on_line,
        )
        if ran.code == 0:
            return
        told = [line.strip() for line in ran.lines if line.strip()]
        if no_network("\n".join(told)):
            place = next((line for line in told if "failed to fetch" in line.lower()), "")
            reason = ": ".join(filter(None, [place.removeprefix("cause: "), reason_of(told)]))
            raise RuntimeEnvironmentError(
                _("its libraries could not be fetched: {reason}", reason=reason),
                where=_("the environment of the runtime version"),
                fix=_("connect to the network, or name a mirror in UV_INDEX_URL; or take --env current"),
            )
        text = "\n".join([_("it could not be built:"), *(f"    {line}" for line in told[-6:])])
        raise RuntimeEnvironmentError(
            text, where=_("the environment of the runtime version"), fix=_("take --env current")
        )
