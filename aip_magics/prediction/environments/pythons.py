"""Find an interpreter of a certain version on this machine. Nothing is fetched."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from aip_magics.errors import AipError
from aip_magics.prediction import interpreters, subprocess_tools

_UV_SECONDS = 30.0
_CONDAS = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", ".conda", "micromamba")


def find_python(version: str, environ: Mapping[str, str] | None = None) -> Path | None:
    """An interpreter of `version` (`3.7`): on PATH, of pyenv, known to uv, of a conda environment; None without one.

    Each candidate is run before it is believed: a shim may lead nowhere. `environ` (None: this process's) has PATH,
    HOME and the places of pyenv and conda.
    """
    variables = os.environ if environ is None else environ
    for candidate in _candidates(version, variables):
        try:
            found = interpreters.version_of(str(candidate))
        except AipError:
            continue
        if found == version or found.startswith(f"{version}."):
            return candidate
    return None


def _candidates(version: str, variables: Mapping[str, str]) -> Iterator[Path]:
    if sys.version.startswith(f"{version}."):
        yield Path(sys.executable)
    home = Path(variables.get("HOME") or variables.get("USERPROFILE") or Path.home())
    suffix = ".exe" if sys.platform == "win32" else ""
    for entry in filter(None, variables.get("PATH", "").split(os.pathsep)):
        yield from _existing(Path(entry) / f"python{version}{suffix}")
    pyenv = Path(variables.get("PYENV_ROOT") or home / ".pyenv") / "versions"
    # The latest patch release first: names sort as numbers.
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
    yield from (home / name for name in _CONDAS)
    yield Path("/opt/conda")


def _known_to_uv(version: str, variables: Mapping[str, str]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="aip-probe-") as empty:
        given = subprocess_tools.variables(variables, "", Path(empty), registry=False)
        words = subprocess_tools.uv("python", "find", "--no-project", version)
        try:
            ran = subprocess_tools.run(words, cwd=Path(empty), variables=given, deadline=_UV_SECONDS)
        except (OSError, TimeoutError):
            return
    if ran.code == 0 and ran.lines:
        yield from _existing(Path(ran.lines[-1]))
