"""The tree of all errors that a user can see.

Each error says **what** went wrong, **where** (the field, option, file or step) and **how to fix it**; a notebook
shows just these one to three lines (`_render_traceback_`), `--debug` shows the whole traceback.

::

    AipError
    ├── InputError                invalid input of the user
    │   ├── OptionError           an option (unknown, missing, malformed)
    │   ├── CellError             the YAML body of a cell
    │   ├── FieldError            a field of Model or Version
    │   ├── ModelDirError         the model directory
    │   └── InstancesError        the instances to predict
    ├── SettingsError             project, region, bucket or target could not be resolved
    ├── CredentialsError          no Application Default Credentials, or invalid ones
    ├── ChecksFailed              preflight checks found errors; `.findings` has all findings
    ├── PredictionError           the model failed to load or to predict; `.kind` and `.code` are those of the service
    │   ├── TrustError            loading the model would run code that is neither listed nor trusted
    │   └── WorkerError           the worker process died, timed out or could not start
    ├── RuntimeEnvironmentError   the environment of a runtime version is not here and could not be built
    ├── StorageError              Cloud Storage (upload, bucket, object)
    ├── LocalFileError            a local file or directory could not be read or written
    ├── ServerError               the embedded server could not start or does not answer
    ├── ApiError                  an error response of the REST API: `.code`, `.status`, `.details`
    │   ├── InvalidArgument, FailedPrecondition        400
    │   ├── Unauthenticated, PermissionDenied          401, 403
    │   ├── NotFound, AlreadyExists                    404, 409
    │   ├── ResourceExhausted, Unavailable             429, 503
    │   └── ServiceEnded                               Google's own endpoint, after 2025-01-31
    ├── OperationFailed           a long-running operation failed; `.operation` is the Operation
    └── Interrupted               the user interrupted a step; running the command again resumes
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import Any, ClassVar

from aip_magics.i18n import gettext as _
from aip_magics.printable import block, inline, printable


class AipError(Exception):
    """Base class of all errors of this package.

    `message` says what is wrong, `where` names the field, option, file or step, `fix` says how to fix the problem.
    """

    debug = False  # set by `--debug` on the error that leaves a command: show the whole traceback

    def __init__(self, message: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.fix = fix

    @property
    def full_message(self) -> str:
        """The message with what the class adds; not made printable."""
        return self.message

    def format_lines(self) -> list[str]:
        """Format the error as one to three printable texts: what, where, fix.

        Further lines of a message or a fix are indented, so that no text from outside looks like a `fix:` line of ours.
        """
        return [
            _piece(f"{type(self).__name__}: {self.full_message}", "    "),
            *([_("  where: {where}", where=inline(self.where))] if self.where else []),
            *([_("  fix:   {fix}", fix=_piece(self.fix, " " * 9))] if self.fix else []),
        ]

    def __str__(self) -> str:
        return "\n".join([_piece(self.message, "    "), *self.format_lines()[1:]])

    def to_json(self) -> dict[str, Any]:
        """The error as the JSON object that `--format json` prints."""
        return {"type": type(self).__name__, "message": self.message, "where": self.where, "fix": self.fix}

    def _render_traceback_(self) -> list[str]:
        # IPython calls this instead of formatting a traceback; nbclient still sees an `error` output.
        return self._traceback() if self.debug else self.format_lines()

    def _traceback(self) -> list[str]:
        """The whole traceback; only the error at the end may have a `fix:` line."""
        own = "".join(traceback.format_exception_only(self))
        before = "".join(traceback.format_exception(self)).removesuffix(own)
        return [*block(before.rstrip("\n")), *own.splitlines()]


class InputError(AipError):
    """Input of the user is invalid."""


class OptionError(InputError):
    """An option is unknown, missing or malformed."""


class CellError(InputError):
    """The body of the cell is not the expected YAML."""


class FieldError(InputError):
    """A field of a Model or Version is unknown or has an invalid value. `where` is the dotted field name."""


class ModelDirError(InputError):
    """The model directory does not exist, is empty or contains no model."""


class InstancesError(InputError):
    """The instances are not valid JSON, not a list, or empty."""


class SettingsError(AipError):
    """Project, region, bucket or target could not be resolved."""


class CredentialsError(AipError):
    """Application Default Credentials were not found or could not be refreshed."""


class ChecksFailed(AipError):
    """Preflight checks found at least one error. `findings` has all findings, errors first."""

    def __init__(self, message: str, *, findings: Sequence[Any] = (), where: str = "", fix: str = "") -> None:
        super().__init__(message, where=where, fix=fix)
        self.findings = tuple(findings)


class PredictionError(AipError):
    """The model failed to load or to predict.

    `kind` and `code` are those of the service: 0 FAILED_TO_LOAD_MODEL, 1 INVALID_INPUTS, 2 FAILED_TO_RUN_MODEL,
    3 INVALID_OUTPUTS, 4 INVALID_USER_CODE. `detail` is the text of the service without the head; `log` is the output of
    the model's code.
    """

    HEADS: ClassVar[dict[str, tuple[int, str]]] = {
        "FAILED_TO_LOAD_MODEL": (0, "Failed to load model"),
        "INVALID_INPUTS": (1, "Invalid inputs"),
        "FAILED_TO_RUN_MODEL": (2, "Failed to run the provided model"),
        "INVALID_OUTPUTS": (3, "There was a problem processing the outputs"),
        "INVALID_USER_CODE": (4, "There was a problem processing the user code"),
    }

    def __init__(self, kind: str, detail: str, *, where: str = "", fix: str = "", log: str = "") -> None:
        self.kind = kind
        self.detail = detail
        self.log = log
        self.code, head = self.HEADS.get(kind, (-1, kind))
        super().__init__(f"{head}: {detail} (Error code: {self.code})", where=where, fix=fix)


class TrustError(PredictionError):
    """Loading the model would run code that is not listed as harmless, and the model is not trusted.

    `place` is the file name of the package that has to be trusted; empty for the model itself.
    """

    def __init__(self, detail: str, *, where: str = "", fix: str = "", log: str = "", place: str = "") -> None:
        super().__init__("FAILED_TO_LOAD_MODEL", detail, where=where, fix=fix, log=log)
        self.place = place


class WorkerError(PredictionError):
    """The worker process of the model died, timed out or could not start."""

    def __init__(self, detail: str, *, where: str = "", fix: str = "", log: str = "") -> None:
        super().__init__("FAILED_TO_RUN_MODEL", detail, where=where, fix=fix, log=log)


class RuntimeEnvironmentError(AipError):
    """The environment of a runtime version could not be built: no such Python, no network …"""


class StorageError(AipError):
    """A request to Cloud Storage failed. `where` is the gs:// name."""


class LocalFileError(AipError):
    """A local file or directory could not be read or written: no permission, a full disk. `where` is its path."""


class ServerError(AipError):
    """The embedded server could not start or does not answer."""


class ApiError(AipError):
    """An error response of the REST API.

    `code` is the HTTP status, `status` the google.rpc code name, `details` the list of the error object.
    """

    def __init__(
        self,
        message: str,
        *,
        code: int = 0,
        status: str = "",
        details: Sequence[Any] = (),
        where: str = "",
        fix: str = "",
    ) -> None:
        super().__init__(message, where=where, fix=fix)
        self.code = code
        self.status = status
        self.details = tuple(details)

    @property
    def full_message(self) -> str:
        tag = " ".join(part for part in (str(self.code or ""), self.status) if part)
        return f"{self.message} ({tag})" if tag else self.message

    def to_json(self) -> dict[str, Any]:
        return {**super().to_json(), "code": self.code, "status": self.status, "details": list(self.details)}


class InvalidArgument(ApiError):
    """400 INVALID_ARGUMENT."""


class FailedPrecondition(ApiError):
    """400 FAILED_PRECONDITION."""


class Unauthenticated(ApiError):
    """401 UNAUTHENTICATED."""


class PermissionDenied(ApiError):
    """403 PERMISSION_DENIED."""


class NotFound(ApiError):
    """404 NOT_FOUND."""


class AlreadyExists(ApiError):
    """409 ALREADY_EXISTS."""


class ResourceExhausted(ApiError):
    """429 RESOURCE_EXHAUSTED."""


class Unavailable(ApiError):
    """503 UNAVAILABLE, or no response."""


class ServiceEnded(ApiError):
    """Google's own endpoint: AI Platform Prediction was shut down on 2025-01-31."""


class OperationFailed(AipError):
    """A long-running operation failed. `operation` is the Operation."""

    def __init__(self, message: str, *, operation: Any, where: str = "", fix: str = "") -> None:
        super().__init__(message, where=where, fix=fix)
        self.operation = operation


class Interrupted(AipError):
    """The user interrupted a step (⏹, Ctrl-C). Running the command again resumes."""


def _piece(text: str, indent: str) -> str:
    """The printable text, with all lines after the first indented further than our own lines."""
    first, end, others = printable(text).expandtabs().strip("\n").partition("\n")
    return "\n".join([first, *block(others, indent)]) if end else first
