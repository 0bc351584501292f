"""The files that are copied into the directory of a container: our code, the custom code, the model."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import aip_magics
from aip_magics.artifacts import ModelDir
from aip_magics.errors import InputError
from aip_magics.i18n import gettext as _
from aip_magics.serving.export.dockerfile import PACKAGES_DIR, SERVER_DIR
from aip_magics.serving.manifest import MODEL_DIR

# The parts of this package that a server needs: what its own imports lead to, whole.
PARTS = ("serving", "prediction", "storage", "artifacts", "catalog", "i18n")
_NOT_COPIED = ("serving/export/", "serving/probe.py", "demo.py", "__main__.py")
_DATA = (".py", ".toml", ".json")
# What differs from one installation of the same archive to the next, or names places of this machine.
_INSTALLER_FILES = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"})
_COMPILED = (".so", ".pyd", ".dylib", ".dll")


def server_files() -> Mapping[str, Path]:
    """The files of this package, by their names in the container's directory."""
    root = Path(aip_magics.__file__).parent
    paths = [*root.glob("*.py"), *(path for part in PARTS for path in (root / part).rglob("*"))]
    named = {path.relative_to(root).as_posix(): path for path in paths if path.suffix in _DATA and path.is_file()}
    return {
        f"{SERVER_DIR}/aip_magics/{name}": path
        for name, path in named.items()
        if not name.startswith(_NOT_COPIED) and "/locale/" not in name
    }


def code_files(installed: Path | None, python: str) -> Mapping[str, Path]:
    """The files of the installed custom code. InputError if some are compiled for another machine than a container's.

    Args:
        installed: The directory of the installed packages.
        python: The Python of the container, `3.11`.
    """
    files = dict(_code_files(installed)) if installed else {}
    compiled = next((name for name in files if name.endswith(_COMPILED)), None)
    this = ".".join(map(str, sys.version_info[:2]))
    if compiled and (sys.platform != "linux" or platform.machine() != "x86_64" or python != this):
        text = _("the custom code has a file compiled for this machine: {file}", file=compiled)
        fix = _("run the command on Linux x86_64 with Python {python}", python=python)
        raise InputError(text, where="--package-uris", fix=fix)
    return files


def _code_files(installed: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(installed.rglob("*")):
        parts = path.relative_to(installed).parts
        if not path.is_file() or "__pycache__" in parts or parts[0] in (".lock", ".build", "bin"):
            continue
        if parts[0].endswith(".dist-info") and path.name in _INSTALLER_FILES:
            continue
        yield f"{PACKAGES_DIR}/{'/'.join(parts)}", path


def model_dir_files(model: ModelDir) -> Mapping[str, Path]:
    """The files of the model."""
    return {f"{MODEL_DIR}/{file.name}": file.path for file in model.files}
