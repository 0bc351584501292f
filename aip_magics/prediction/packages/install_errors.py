"""Errors of packages that do not install, in the service's words, each with a fix."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from aip_magics.artifacts.packages import build_code
from aip_magics.data_directory import disk_full_error
from aip_magics.errors import AipError, PredictionError, TrustError
from aip_magics.i18n import gettext as _

SHOWN_LINES = 6  # of the output, in the error itself; the full output is in `log`
_NOISE = ("Using CPython", "Using Python", "Resolved ", "hint: Build failures")
_EXCEPTION = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Exit|Interrupt)\b.*")
_MISSING_FILE = re.compile(r"No such file or directory: (['\"])(.+?)\1")
_FLAT_LAYOUT = re.compile(
    r"Multiple top-level (?P<kind>modules|packages) discovered in a flat-layout: \[(?P<names>[^]]*)\]"
)
_NO_SPACE = re.compile(r"No space left on device|Disk quota exceeded|not enough space on the disk", re.IGNORECASE)
_QUOTED_PATH = re.compile(r"[`'\"]((?:/|[A-Za-z]:\\)[^`'\"]+)")
_NO_WHEEL = re.compile(r"no usable wheels|building (?:from )?source (?:distributions )?is disabled|--only-binary")
_NO_NETWORK = re.compile(
    r"failed to fetch|error sending request|dns error|network is unreachable|network was disabled|connection refused"
    r"|could not connect|timed out",
    re.IGNORECASE,
)


def install_error(name: str, reason: str, *, fix: str = "", log: str = "") -> PredictionError:
    """Build the error for a package that was refused or did not build."""
    detail = _("User-provided package {name} failed to install: {reason}", name=name, reason=reason)
    return PredictionError("FAILED_TO_LOAD_MODEL", detail, where=_("packageUris: {name}", name=name), fix=fix, log=log)


def untrusted_error(name: str, reasons: Sequence[str]) -> TrustError:
    """Build the error for an untrusted package whose build or installation would run its own code."""
    detail = _(
        "User-provided package {name} failed to install: {reason}", name=name, reason=build_code.would_run(reasons)
    )
    return TrustError(detail, where=_("packageUris: {name}", name=name), fix=build_code.consent_fix(), place=name)


def build_error(name: str, members: Collection[str], lines: Sequence[str], directory: Path) -> AipError:
    """Build the error for a failed build in a directory of a package with these members.

    `lines` are the output of the build.
    """
    if full := find_full_disk(lines, directory):
        return full
    output = [line.strip() for line in lines if line.strip(" ^~|")]
    reason = find_reason(output)
    # The lines before the last exception show where the exception was raised.
    last = [line for line in output[-SHOWN_LINES:] if reason not in line and not line.startswith(_NOISE)]
    shown = "\n".join([reason, *(f"    {line}" for line in last)])
    return install_error(name, shown, fix=_fix(name, members, "\n".join(output)), log="\n".join(lines))


def find_reason(lines: Sequence[str]) -> str:
    """Find the line of an output that states the reason: the last exception, or else the last error."""
    exceptions = [line for line in lines if _EXCEPTION.fullmatch(line)]
    if exceptions:
        return exceptions[-1]
    errors = [line for line in lines if line.startswith(("error:", "cause:", "ERROR:"))]
    if errors:
        return errors[-1].partition(":")[2].strip()
    return lines[-1] if lines else _("the build exited without output")


def find_full_disk(lines: Sequence[str], directory: Path) -> AipError | None:
    """Build the error for an output that says that a disk is full; None if it does not.

    The error names `directory`, where the command has written, unless the output names a path elsewhere.
    """
    full = [line for line in lines if _NO_SPACE.search(line)]
    paths = (found[1] for line in full if (found := _QUOTED_PATH.search(line)))
    elsewhere = (path for path in paths if not Path(path).is_relative_to(directory))
    return disk_full_error(next(elsewhere, str(directory))) if full else None


def is_network_error(text: str) -> bool:
    """Whether an output says that the package index could not be reached."""
    return _NO_NETWORK.search(text) is not None


def _fix(name: str, members: Collection[str], text: str) -> str:
    if missing := _MISSING_FILE.search(text):
        file = PurePosixPath(missing[2].replace("\\", "/")).name
        if not any(PurePosixPath(member).name == file for member in members):
            return _(
                "add `include {file}` to MANIFEST.in and rebuild the archive: setup.py reads {file}, missing in {name}",
                file=file,
                name=name,
            )
    if listed := _FLAT_LAYOUT.search(text):
        keyword = "packages" if listed["kind"] == "packages" else "py_modules"
        line = f"{keyword}=[{listed['names']}]"
        return _(
            "list what the package contains in setup.py, as in setup(…, {line}), and rebuild the archive", line=line
        )
    if _NO_WHEEL.search(text):
        return _("add --trust once if you trust the package: its requirements have to be built from source")
    if is_network_error(text):
        return _("connect to the network to download the build requirements, or install setuptools and wheel")
    if "does not satisfy Python" in text or "not compatible with" in text or "no wheels with a matching" in text:
        return _("build {name} for the Python version that predicts, or use its source distribution", name=name)
    return _("see `.log` for the full output, or build a package of plain modules with %aip_package")
