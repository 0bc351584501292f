"""Validate package archives before running any of their code, with the service's error texts."""

from __future__ import annotations

from pathlib import Path

from aip_magics.artifacts.packages import build_code, module_discovery
from aip_magics.artifacts.packages.archives import Archive, read
from aip_magics.artifacts.packages.bounds import MemberRefused
from aip_magics.artifacts.packages.extraction import repack, unpack
from aip_magics.artifacts.packages.members import DAMAGED
from aip_magics.artifacts.packages.package_facts import is_read
from aip_magics.data_directory import is_disk_full
from aip_magics.i18n import gettext as _
from aip_magics.prediction.packages.install_errors import install_error

__all__ = ["Archive", "examine", "prepare"]


def examine(path: Path) -> Archive:
    """Inspect a source distribution (.tar.gz, .tgz, .zip) or a wheel (.whl) without running or unpacking it.

    Raises:
        PredictionError: FAILED_TO_LOAD_MODEL, if the archive is damaged, is not a package, has a member outside of its
            root, or unpacks to more than its size allows.
    """
    try:
        return read(path, keep=is_read)
    except MemberRefused as refused:
        raise install_error(path.name, refused.reason, fix=refused.fix) from refused.__cause__


def prepare(archive: Archive, folder: Path, *, trusted: bool) -> Path:
    """Prepare what uv installs instead of the archive: an unpacked source distribution or a rewritten wheel.

    Args:
        archive: the inspected archive.
        folder: the directory to create for the result.
        trusted: whether the user trusts the archive. Otherwise its build is configured to import none of its modules.

    Raises:
        PredictionError: the archive could not be unpacked.
        OSError: the disk is full.
    """
    folder.mkdir(parents=True)
    try:
        if archive.is_wheel:
            wheel = folder / archive.path.name
            repack(archive.path, wheel)
            return wheel
        unpacked = folder / "source"
        unpack(archive.path, unpacked, (lambda _unused: False) if trusted else build_code.left_out)
        source = unpacked / archive.root
        if not trusted:
            project = source / "pyproject.toml"
            text = build_code.isolated(project.read_text("utf-8") if project.exists() else "")
            project.write_text(text, "utf-8")
        if module_discovery.lists_only_scripts(_root_texts(archive)):
            config = source / "setup.cfg"
            text = config.read_text("utf-8", "surrogateescape") if config.exists() else ""
            config.write_text(module_discovery.without_discovery(text), "utf-8", "surrogateescape")
        return source
    except MemberRefused as refused:
        raise install_error(archive.path.name, refused.reason, fix=refused.fix) from None
    except DAMAGED as error:
        if is_disk_full(error):
            raise
        fix = _("free disk space, or rebuild the archive")
        raise install_error(
            archive.path.name, _("could not unpack the archive: {error}", error=error), fix=fix
        ) from error


def _root_texts(archive: Archive) -> dict[str, bytes]:
    return {name.removeprefix(archive.root): text for name, text in archive.texts.items()}
