"""Build package archives for tests, including malformed ones that no tool would create."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

SETUP = "from setuptools import setup\nsetup(name={name!r}, version='0.1', py_modules={modules!r}, {more})\n"


def tar(path: Path, members: Mapping[str, str | bytes | tarfile.TarInfo]) -> Path:
    """Build a .tar.gz with these members: contents, or complete headers for members without contents."""
    with tarfile.open(path, "w:gz") as file:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                content.name = name
                file.addfile(content)
                continue
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return path


def sdist(folder: Path, name: str, modules: Mapping[str, str], *, more: str = "", setup: str | None = None) -> Path:
    """Build a source distribution of these modules; `more` goes into its setup(), `setup` replaces its setup.py."""
    text = setup or SETUP.format(name=name, modules=list(modules), more=more)
    files = {"setup.py": text, **{f"{module}.py": code for module, code in modules.items()}}
    return tar(folder / f"{name}-0.1.tar.gz", {f"{name}-0.1/{file}": content for file, content in files.items()})


def wheel(
    folder: Path, name: str, modules: Mapping[str, str], *, version: str = "0.1", requires: str = "", tag: str = ""
) -> Path:
    """Build a wheel of these modules without any tool."""
    tag = tag or "py3-none-any"
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files = {f"{module}.py": code for module, code in modules.items()}
    files[f"{info}/METADATA"] = metadata + (f"Requires-Dist: {requires}\n" if requires else "")
    files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n"
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    path = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as file:
        for member, text in files.items():
            file.writestr(member, text)
    return path


def link(target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    """Build the header of a link."""
    info = tarfile.TarInfo()
    info.type, info.linkname = kind, target
    return info
