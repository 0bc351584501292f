"""The data directory when something is written to it, and errors of the file system as errors of ours."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from pathlib import Path

from aip_magics.errors import AipError, LocalFileError, SettingsError
from aip_magics.i18n import gettext as _
from aip_magics.settings import NO_HOME, private

# Directories below the data directory that several parts know.
DOWNLOADS = "downloads"  # models and packages from Cloud Storage
INPUTS = "inputs"  # names of the inputs of models
STAGING = "staging"  # model objects of notebooks, saved
TRIALS = "trials"  # results of local trials

_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})  # Windows has no quota error
_PROBE_BYTES = 1 << 20  # more than the embedded server writes at its start
# Bytes of the disk that uploads to the embedded server leave free. Without them SQLite could not even delete an object,
# and what filled the disk would have to be removed by hand.
RESERVE_BYTES = 4 << 20


def create_data_dir(directory: Path, fix: str = "") -> Path:
    """Create the data directory if it is missing, and make sure that files can be created in it.

    Args:
        directory: The data directory.
        fix: The remedy where the directory cannot be used; default: to set AIP_MAGICS_HOME.

    Raises:
        SettingsError: The directory cannot be created or written to, or is not private (see `settings.private`).
    """
    private(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        tempfile.TemporaryFile(dir=directory).close()
    except OSError as error:
        raise data_dir_error(directory, error, fix) from error
    return directory


def check_free_space(directory: Path) -> None:
    """Raise SettingsError if the disk of the data directory has no room for the files of the embedded server."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(os.urandom(_PROBE_BYTES))
    except OSError as error:
        raise data_dir_error(directory, error) from error


def check_reserve(directory: Path, size: int) -> None:
    """Raise OSError (ENOSPC) if `size` more bytes would leave less than RESERVE_BYTES of the disk free."""
    if shutil.disk_usage(directory).free < size + RESERVE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def is_disk_full(error: BaseException) -> bool:
    """Whether an error of the operating system or of SQLite, or one of ours about it, says that a disk is full."""
    if isinstance(error, OSError):
        return error.errno in _FULL
    if isinstance(error, AipError):
        return error.__cause__ is not None and is_disk_full(error.__cause__)
    return str(error) == "database or disk is full"  # SQLite's; `sqlite_errorcode` is new in Python 3.11


def disk_full_error(where: str) -> AipError:
    """Build the error for a tool that reported a full disk; `is_disk_full` knows it."""
    full = LocalFileError(_("the disk is full"), where=where, fix=free_space_fix())
    full.__cause__ = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return full


def free_space_fix() -> str:
    """The remedy for a full disk."""
    return _("free space on that disk and run the command again")


def free_server_space_fix() -> str:
    """The remedy for a full disk of the embedded server."""
    return _("free space on the disk of the data directory that `aip-magics server status` shows")


def data_dir_error(directory: Path, error: OSError, fix: str = "") -> SettingsError:
    """Build the error for a data directory that cannot be created or written to."""
    if directory == NO_HOME:
        text = _("the data directory could not be determined: this user has no home directory")
        return SettingsError(text, where="HOME, AIP_MAGICS_HOME", fix=fix or _set_home())
    if is_disk_full(error):
        fix = _("free space on that disk, or set AIP_MAGICS_HOME to a directory on another disk")
        return SettingsError(_("the disk of the data directory is full"), where=str(directory), fix=fix)
    if directory.is_dir():
        text = _("could not write to the data directory: {reason}", reason=_reason(error))
    else:
        text = _("could not create the data directory: {reason}", reason=_reason(error))
    return SettingsError(text, where=str(directory), fix=fix or _set_home())


def file_error(error: OSError, data_dir: Path) -> AipError:
    """Build the error for a failed file operation that no other place explains: the path, the reason, a remedy."""
    path = Path(os.fsdecode(error.filename)) if isinstance(error.filename, (str, bytes)) else None
    if path is not None and _is_about(path, data_dir):
        return data_dir_error(data_dir, error)
    if is_disk_full(error):
        directory = path or _full_directory(data_dir)  # a failed write, unlike a failed open, does not name its file
        if directory == data_dir:
            return data_dir_error(data_dir, error)
        return LocalFileError(_("the disk is full"), where=str(directory or ""), fix=free_space_fix())
    if path is None:
        text = _("the operating system reported an error: {reason}", reason=_reason(error))
        return LocalFileError(text, fix=_("run the command again with --debug to see the failed operation"))
    text = _("could not use the file or directory: {reason}", reason=_reason(error))
    return LocalFileError(text, where=str(path), fix=_("check the path and its permissions"))


def _is_about(path: Path, data_dir: Path) -> bool:
    """Whether the path is in the data directory, or a parent directory that could not be created for it."""
    return path == data_dir or data_dir in path.parents or (path in data_dir.parents and not _exists(data_dir))


def _full_directory(data_dir: Path) -> Path | None:
    """The directory on a full disk: the data directory, the working directory, that of temporary files, or another."""
    for directory in (data_dir, Path(), Path(tempfile.gettempdir())):
        with contextlib.suppress(OSError):
            if shutil.disk_usage(directory).free < _PROBE_BYTES:
                return directory.absolute()
    return None


def _exists(directory: Path) -> bool:
    return os.path.exists(directory)  # unlike Path.exists, False where a parent directory may not be entered


def _reason(error: OSError) -> str:
    # mkdir says `File exists` for a file in the place of the directory.
    text = os.strerror(errno.ENOTDIR) if isinstance(error, FileExistsError) else error.strerror
    return text or str(error) or type(error).__name__


def _set_home() -> str:
    return _("set AIP_MAGICS_HOME to a directory that you can write to")
