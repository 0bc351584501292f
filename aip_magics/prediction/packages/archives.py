"""A package archive is judged before anything of it is run; one that is refused is told as the service told it."""

from __future__ import annotations

from pathlib import Path

from aip_magics.artifacts.packages import build_code
from aip_magics.artifacts.packages.archives import Archive, read
from aip_magics.artifacts.packages.bounds import MemberRefused
from aip_magics.artifacts.packages.extraction import repack, unpack
from aip_magics.artifacts.packages.members import DAMAGED
from aip_magics.artifacts.packages.package_facts import is_read
from aip_magics.i18n import gettext as _
from aip_magics.prediction.packages.install_errors import failed

__all__ = ["Archive", "examine", "prepare"]


def examine(path: Path) -> Archive:
    """Look at a source distribution (.tar.gz, .tgz, .zip) or a wheel (.whl) without running or unpacking it.

    PredictionError (FAILED_TO_LOAD_MODEL) where it is damaged, no package, has a member that leads out of it, or
    unpacks to more than its size allows.
    """
    try:
        return read(path, keep=is_read)
    except MemberRefused as refused:
        raise failed(path.name, refused.reason, fix=refused.fix) from refused.__cause__


def prepare(archive: Archive, folder: Path, *, trusted: bool) -> Path:
    """What uv installs instead of the archive: the folder that a source distribution is, or a wheel written anew.

    It is made in the new `folder`. One that is not trusted is built so that nothing of it is imported meanwhile.
    PredictionError where it cannot be unpacked.
    """
    folder.mkdir(parents=True)
    try:
        if archive.is_wheel:
            made = folder / archive.path.name
            repack(archive.path, made)
            return made
        made = folder / "source"
        unpack(archive.path, made, (lambda _unused: False) if trusted else build_code.left_out)
        made = made / archive.root
        if not trusted:
            project = made / "pyproject.toml"
            text = build_code.isolated(project.read_text("utf-8") if project.exists() else "")
            project.write_text(text, "utf-8")
        return made
    except MemberRefused as refused:
        raise failed(archive.path.name, refused.reason, fix=refused.fix) from None
    except DAMAGED as error:
        fix = _("make room on the disk, or build the archive again")
        raise failed(archive.path.name, _("it cannot be unpacked: {error}", error=error), fix=fix) from error
