"""Find an installed interpreter of a given version, without downloading anything."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from aip_magics.errors import AipError
from aip_magics.prediction import interpreters, subprocess_tools

_UV_SECONDS = 30.0
_CONDA_DIRS = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", ".conda", "micromamba")


def find_python(version: str, environ: Mapping[str, str] | None = None) -> Path | None:
    """Find an interpreter of `version` (`3.7`) on PATH, in pyenv, known to uv, or in a conda environment.

    Each candidate is run to check its version, because a shim may lead nowhere.

    Args:
        version: the version, `3.7`.
        environ: the environment variables with PATH, HOME and the directories of pyenv and conda; None uses those of
            this process.

    Returns:
        The path of the interpreter, or None if none was found.
    """
    variables = os.environ if environ is None else environ
    for candidate in _candidates(version, variables):
        try:
            found = interpreters.get_python_version(str(candidate))
        except AipError:
            continue
        if found == version or found.startswith(f"{version}."):
            return candidate
    return None


def _candidates(version: str, variables: Mapping[str, str]) -> Iterator[Path]:
    if sys.version.startswith(f"{version}."):
        yield Path(sys.executable)
    home = Path(variables.get("HOME") or variables.get("USERPROFILE") or os.path.expanduser("~"))
    suffix = ".exe" if sys.platform == "win32" else ""
    for entry in filter(None, variables.get("PATH", "").split(os.pathsep)):
        yield from _existing(Path(entry) / f"python{version}{suffix}")
    pyenv = Path(variables.get("PYENV_ROOT") or home / ".pyenv") / "versions"
    # Latest patch release first; sorting by length first sorts 3.7.10 after 3.7.9.
    releases = sorted(pyenv.glob(f"{version}*"), key=lambda path: [len(path.name), path.name], reverse=True)
    for release in releases:
        yield from _existing(_inside(release))
    yield from _known_to_uv(version, variables)
    for root in _conda_roots(home, variables):
        for folder in (root, *sorted((root / "envs").glob("*"))):
            yield from _existing(_inside(folder))


def _inside(folder: Path) -> Path:
    return folder / "python.exe" if sys.platform == "win32" else folder / "bin" / "python"


def _existing(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path


def _conda_roots(home: Path, variables: Mapping[str, str]) -> Iterator[Path]:
    if variables.get("CONDA_EXE"):
        yield Path(variables["CONDA_EXE"]).parent.parent
    yield from (home / name for name in _CONDA_DIRS)
    yield Path("/opt/conda")


def _known_to_uv(version: str, variables: Mapping[str, str]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="aip-probe-") as empty:
        environ = subprocess_tools.tool_environ(variables, "", Path(empty), registry=False)
        command = subprocess_tools.uv_command("python", "find", "--no-project", version)
        try:
            ran = subprocess_tools.run(command, cwd=Path(empty), variables=environ, deadline=_UV_SECONDS)
        except (OSError, TimeoutError):
            return
    if ran.code == 0 and ran.lines:
        yield from _existing(Path(ran.lines[-1]))
