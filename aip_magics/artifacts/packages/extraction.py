"""Unpack an archive that was looked at, by the reader that looked at it: whoever builds it gets files, not an archive.

An archive can be made to say one thing to one reader and another to the next. So uv never reads one of the user's.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

from aip_magics.artifacts.packages.bounds import Bounds
from aip_magics.artifacts.packages.members import walk

_CHUNK = 1 << 20


def unpack(path: Path, folder: Path, leave_out: Callable[[str], bool]) -> None:
    """Unpack all members but those that `leave_out` names into a new folder.

    Files get this user's modes; links become files. Errors as `archives.read`, but for those of the disk: OSError.
    """
    bounds = Bounds(path.stat().st_size)
    folder.mkdir()
    for member, content in walk(path, bounds):
        if leave_out(member.name):
            continue
        place = folder / member.name
        if member.is_folder:
            place.mkdir(parents=True, exist_ok=True)
        elif member.link is None:
            place.parent.mkdir(parents=True, exist_ok=True)
            with content() as source, place.open("xb") as target:  # x: on a disk that takes A for a, too
                shutil.copyfileobj(source, target, _CHUNK)
            place.chmod(0o755 if member.executable else 0o644)
    for name, target_name in bounds.links():
        if not leave_out(name) and not leave_out(target_name):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).hardlink_to(folder / target_name)


def repack(path: Path, made: Path) -> None:
    """Write a wheel anew, with nothing in it but its members: each once, under one name, of one size."""
    with zipfile.ZipFile(made, "x") as file:
        for member, content in walk(path, Bounds(path.stat().st_size)):
            if member.is_folder:
                continue
            info = zipfile.ZipInfo(member.name)
            info.external_attr = (0o100755 if member.executable else 0o100644) << 16
            with content() as source, file.open(info, "w", force_zip64=member.size >= 1 << 31) as target:
                shutil.copyfileobj(source, target, _CHUNK)
