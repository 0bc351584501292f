"""Responses of a worker, its crashes and its timeouts as values and errors of this package."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Mapping
from pathlib import Path

from aip_magics.errors import PredictionError, TrustError, WorkerError
from aip_magics.i18n import gettext as _
from aip_magics.i18n import translate_known
from aip_magics.prediction.messages import WorkerMessage


@dataclasses.dataclass(frozen=True)
class LoadedModel:
    """A model that was loaded.

    `framework` is the API's name, `class_name` the model's class with its module, `libraries` the versions really
    imported ("scikit-learn", "numpy", "python", …), `load_seconds` includes importing what was not preloaded.
    `protection` is what the worker cannot reach: `files`, `network`, `processes` (booleans), `open` (whether the model
    is a program of the user's that keeps network and programs), `by` (what holds it), `why` (not all of it holds).
    `row_wise`: the prediction of a row has the same bits alone and among other rows.
    """

    framework: str
    class_name: str
    libraries: Mapping[str, str]
    load_seconds: float
    protection: Mapping[str, object] = dataclasses.field(default_factory=dict)
    row_wise: bool = False

    @classmethod
    def from_header(cls, header: Mapping[str, object]) -> LoadedModel:
        libraries, protection = header.get("libraries"), header.get("protection")
        return cls(
            framework=str(header.get("framework")),
            class_name=str(header.get("class")),
            libraries=dict(libraries) if isinstance(libraries, Mapping) else {},
            load_seconds=float(str(header.get("load_seconds"))),
            protection=dict(protection) if isinstance(protection, Mapping) else {},
            row_wise=header.get("row_wise") is True,
        )


def response_error(response: WorkerMessage, model_dir: Path, log: str) -> PredictionError:
    """The error that a response says."""
    error = response.header.get("error") or {}
    detail = _encodable(str(error.get("detail")))
    if "distrusted" in error:
        return TrustError(detail, where=str(model_dir), fix=trust_fix(), log=log)
    kind, fix = _encodable(str(error.get("kind"))), _encodable(_fix_text(error))
    return PredictionError(kind, detail, where=str(model_dir), fix=fix, log=log)


def _encodable(text: str) -> str:
    """Escape halves of surrogate pairs, which JSON can hold, but no response, database, log or terminal in UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _fix_text(error: Mapping[str, object]) -> str:
    """The fix of an error, in the current language if the worker sent its template and a catalogue has it.

    The model's code may have written the response, so only templates of the catalogue are formatted.
    """
    english, values = str(error.get("fix") or ""), error.get("fix_values")
    if not isinstance(values, Mapping) or not all(isinstance(value, str) for value in values.values()):
        return english
    return translate_known(str(error.get("fix_template")), values) or english


def trust_fix() -> str:
    """How to consent to what loading a model runs."""
    return _("add --trust once if you trust the source of this file (remembered for this file content)")


def worker_crashed(code: int | None, doing: str, model_dir: Path, log: str) -> WorkerError:
    """The error for a worker that exited during an operation. `code`: exit code or minus the signal, or None."""
    fix = _("the log of the model's code is in `.log`")
    if code is None:
        how = _("ended")
    elif code >= 0:
        how = _("exited with code {code}", code=code)
    else:
        how = _("was ended by signal {value} ({signal_name})", value=-code, signal_name=_signal_name(-code))
        if -code == getattr(signal, "SIGKILL", 9):
            fix = _("use a smaller model or fewer instances: the machine may have run out of memory")
    return WorkerError(
        _("the worker process {how} while {doing}", how=how, doing=_told(doing)),
        where=str(model_dir),
        fix=fix,
        log=log,
    )


def worker_timed_out(seconds: float, doing: str, model_dir: Path, log: str) -> WorkerError:
    """The worker passed its deadline and was killed."""
    detail = _(
        "the worker process timed out after {seconds:g} s while {doing} and was killed",
        seconds=seconds,
        doing=_told(doing),
    )
    fix = _("allow more time, or send fewer instances; `.log` shows where the model's code was")
    return WorkerError(detail, where=str(model_dir), fix=fix, log=log)


def _told(doing: str) -> str:
    return {"starting": _("starting"), "loading": _("loading the model"), "predicting": _("predicting")}[doing]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
