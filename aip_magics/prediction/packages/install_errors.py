"""A package that does not install, told as the service told it, with what to do about it."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath

from aip_magics.artifacts.packages import build_code
from aip_magics.errors import PredictionError, TrustError
from aip_magics.i18n import gettext as _

SHOWN_LINES = 6  # of the output, in the error itself; `log` has more
_NO_NEWS = ("Using CPython", "Using Python", "Resolved ", "hint: Build failures")
_EXCEPTION = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Exit|Interrupt)\b.*")
_MISSING_FILE = re.compile(r"No such file or directory: (['\"])(.+?)\1")
_NO_WHEEL = re.compile(r"no usable wheels|building (?:from )?source (?:distributions )?is disabled|--only-binary")
_NO_NETWORK = re.compile(
    r"failed to fetch|error sending request|dns error|network is unreachable|network was disabled|connection refused"
    r"|could not connect|timed out",
    re.IGNORECASE,
)


def failed(name: str, reason: str, *, fix: str = "", log: str = "") -> PredictionError:
    """The package `name` was refused or did not build."""
    detail = _("User-provided package {name} failed to install: {reason}", name=name, reason=reason)
    return PredictionError("FAILED_TO_LOAD_MODEL", detail, where=_("packageUris: {name}", name=name), fix=fix, log=log)


def distrusted(name: str, reasons: Sequence[str]) -> TrustError:
    """The package `name` would run code of its own while it is built or installed, and nobody said it may."""
    detail = _(
        "User-provided package {name} failed to install: {reason}", name=name, reason=build_code.would_run(reasons)
    )
    return TrustError(detail, where=_("packageUris: {name}", name=name), fix=build_code.consent_fix(), place=name)


def not_built(name: str, members: Collection[str], lines: Sequence[str]) -> PredictionError:
    """The build of a package with these members ended with an error; `lines` are its output."""
    told = [line.strip() for line in lines if line.strip(" ^~|")]
    reason = reason_of(told)
    # What stands before the last exception shows where it was raised.
    last = [line for line in told[-SHOWN_LINES:] if reason not in line and not line.startswith(_NO_NEWS)]
    shown = "\n".join([reason, *(f"    {line}" for line in last)])
    return failed(name, shown, fix=_fix(name, members, "\n".join(told)), log="\n".join(lines))


def reason_of(lines: Sequence[str]) -> str:
    """The line of an output that says why: of the last exception, else of the last error."""
    exceptions = [line for line in lines if _EXCEPTION.fullmatch(line)]
    if exceptions:
        return exceptions[-1]
    errors = [line for line in lines if line.startswith(("error:", "cause:", "ERROR:"))]
    return errors[-1].partition(":")[2].strip() if errors else (lines[-1] if lines else _("it ended without a word"))


def no_network(text: str) -> bool:
    """Whether an output says that the package index was not reached."""
    return _NO_NETWORK.search(text) is not None


def _fix(name: str, members: Collection[str], text: str) -> str:
    if missing := _MISSING_FILE.search(text):
        wanted = PurePosixPath(missing[2].replace("\\", "/")).name
        if not any(PurePosixPath(member).name == wanted for member in members):
            return _(
                "setup.py wants {wanted}, which {name} does not have: write `include {wanted}` into MANIFEST.in and "
                "build the archive again",
                wanted=wanted,
                name=name,
            )
    if _NO_WHEEL.search(text):
        return _("what it requires would have to be built here: if you trust it, add --trust once")
    if no_network(text):
        return _(
            "what it is built with has to be fetched: connect to the network, or install setuptools and wheel here"
        )
    if "does not satisfy Python" in text or "not compatible with" in text or "no wheels with a matching" in text:
        return _("build {name} for the Python that predicts, or give its source distribution", name=name)
    return _("`.log` has the whole output; a package of plain modules is made by %aip_package")
