"""Conversion between a deployment and the values of the form's fields; invalid values become problems of the field."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import math
import os
from collections.abc import Mapping
from typing import Any

from aip_magics.checks import Severity
from aip_magics.commands.common.cell_body import read_yaml
from aip_magics.commands.common.instances import from_value
from aip_magics.commands.common.options import pairs, split_commas
from aip_magics.deploy import Deployment
from aip_magics.errors import AipError, FieldError
from aip_magics.i18n import gettext as _
from aip_magics.spec import AutoScaling, ManualScaling, Model, RequestLoggingConfig, Version

FieldValues = Mapping[str, "str | bool"]

MAX_TEST_CHARACTERS = (
    20_000  # characters of test instances that are shown for editing; longer ones are kept as they are
)
_TEXTS = {  # fields that are strings in the Version, too
    "version": "name",
    **{
        name: name
        for name in (
            "description", "framework", "runtimeVersion", "pythonVersion", "machineType", "predictionClass",
            "serviceAccount",
        )
    },
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class FieldProblem:
    """A problem or remark about a field. `id` names the check that found the problem, if any."""

    field: str
    severity: Severity
    message: str
    fix: str = ""
    id: str = ""


def problem(field: str, error: AipError) -> FieldProblem:
    """Convert an error to a problem that prevents the deployment."""
    return FieldProblem(field, "error", error.message, error.fix)


def tidy(text: str) -> str:
    """Join text that was typed or pasted into a one-line field to one line."""
    line = " ".join(text.splitlines())
    return "".join(char for char in line if char.isprintable() or char.isspace()).strip()


def get_field_values(deployment: Deployment) -> dict[str, str | bool]:
    """Convert a deployment to the values of the fields."""
    model, version = deployment.model, deployment.version
    auto, manual, log = version.autoScaling, version.manualScaling, version.requestLoggingConfig
    found: dict[str, str | bool | None] = {
        "origin": deployment.origin,
        "replace": deployment.replace,
        "trust": deployment.trust,
        "model": model.name,
        "region": ",".join(model.regions or ()),
        "logging": model.onlinePredictionLogging,
        "consoleLogging": model.onlinePredictionConsoleLogging,
        "modelDescription": model.description,
        "modelLabels": _labels_text(model),
        **{id: getattr(version, name) for id, name in _TEXTS.items()},
        "packageUris": _packages_text(version),
        "labels": _labels_text(version),
        "logTable": log.bigqueryTableName if log else None,
        "logShare": _shown(log.samplingPercentage if log else None),
        "scaling": "manual" if manual else None,
        "nodes": _shown(manual.nodes if manual else None),
        "minNodes": _shown(auto.minNodes if auto else None),
        "maxNodes": _shown(auto.maxNodes if auto else None),
        "test": _test_text(deployment.test),
    }
    return {id: value for id, value in found.items() if value}


def build_deployment(
    base: Deployment, values: FieldValues, regional: bool
) -> tuple[Deployment, tuple[FieldProblem, ...]]:
    """Convert the values of the fields to a deployment; invalid values are omitted and returned as problems."""
    reader = _FieldReader(values)
    result = dataclasses.replace(
        base,
        origin=reader.origin(),
        model=_model(base.model, reader, regional),
        version=_version(base.version, reader),
        replace=reader.checked("replace") or False,
        trust=reader.checked("trust") or False,
        test=reader.test(base.test),
    )
    return result, tuple(reader.problems)


def _model(base: Model, reader: _FieldReader, regional: bool) -> Model:
    region = reader.text("region")
    return base.replace(
        name=reader.text("model"),
        regions=None if regional or not region else tuple(split_commas(region)),
        onlinePredictionLogging=reader.checked("logging"),
        onlinePredictionConsoleLogging=reader.checked("consoleLogging"),
        description=reader.text("modelDescription"),
        labels=reader.labels("modelLabels", base),
    )


def _version(base: Version, reader: _FieldReader) -> Version:
    manual = reader.text("scaling") == "manual"
    return base.replace(
        **{name: reader.text(id) for id, name in _TEXTS.items()},
        packageUris=reader.packages(base),
        labels=reader.labels("labels", base),
        requestLoggingConfig=_request_logging(reader),
        autoScaling=None if manual else _auto_scaling(base.autoScaling, reader),
        manualScaling=ManualScaling(reader.number("nodes", required=True)) if manual else None,
    )


def _request_logging(reader: _FieldReader) -> RequestLoggingConfig | None:
    config = RequestLoggingConfig(reader.text("logTable"), reader.share("logShare"))
    return config if config.to_json() else None


def _auto_scaling(base: AutoScaling | None, reader: _FieldReader) -> AutoScaling | None:
    scaling = (base or AutoScaling()).replace(minNodes=reader.number("minNodes"), maxNodes=reader.number("maxNodes"))
    return scaling if scaling.to_json() else None


class _FieldReader:
    """Reads the values of fields and collects problems."""

    def __init__(self, values: FieldValues) -> None:
        self.values = values
        self.problems: list[FieldProblem] = []

    def text(self, id: str) -> str | None:
        return str(self.values.get(id) or "") or None

    def origin(self) -> str:
        text = self.text("origin") or ""
        if not text:
            self.problem("origin", _("the model's directory is missing"), _("enter the directory, or press Browse"))
        elif text.startswith("~") and os.path.expanduser(text) == text:
            self.problem("origin", _("home directory {name} does not exist", name=text.split("/")[0]), "")
            return ""
        return text

    def checked(self, id: str) -> bool | None:
        return True if self.values.get(id) else None

    def number(self, id: str, *, required: bool = False) -> int | None:
        text = self.text(id)
        if text is None and required:
            self.problem(id, _("number of nodes is required"), "1")
        elif text is not None and not (text.isascii() and text.isdecimal() and len(text) <= 9):
            self.problem(id, _("{text!r} is not a whole number", text=text), "1")
            return None
        return None if text is None else int(text)

    def share(self, id: str) -> float | None:
        text = self.text(id)
        try:
            found = None if text is None else float(text)
        except ValueError:
            found = math.nan
        if found is None or math.isfinite(found):
            return found
        self.problem(id, _("expected a number, got {text!r}", text=text), "0.1")
        return None

    def packages(self, base: Version) -> tuple[str, ...] | None:
        kept = None if _packages_text(base) else base.packageUris
        return tuple(split_commas(self.text("packageUris") or "")) or kept

    def labels(self, id: str, base: Model | Version) -> Mapping[str, str] | None:
        kept = None if _labels_text(base) else base.labels
        try:
            return pairs(self.text(id) or "") or kept
        except argparse.ArgumentTypeError:
            self.problem(id, _("expected labels as key=value, separated by commas"), "team=a,stage=test")
            return None

    def test(self, base: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        text = self.text("test")
        if text is None or not text.strip():
            return None if _test_text(base) else base
        try:
            return from_value(read_yaml(text, "test"), "test")
        except AipError as error:
            self.problem("test", error.message, error.fix)
            return None

    def problem(self, id: str, message: str, fix: str) -> None:
        self.problems.append(problem(id, FieldError(message, fix=fix)))


# A value without a text form (too long to edit, a comma in an item) is not shown and not changed.


def _test_text(test: Mapping[str, Any] | None) -> str:
    if test is None:
        return ""
    value = test["instances"] if test.keys() == {"instances"} else test
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_TEST_CHARACTERS else ""


def _packages_text(version: Version) -> str:
    text = ",".join(version.packageUris or ())
    return text if tuple(split_commas(text)) == version.packageUris else ""


def _labels_text(resource: Model | Version) -> str:
    text = ",".join(f"{key}={value}" for key, value in (resource.labels or {}).items())
    with contextlib.suppress(argparse.ArgumentTypeError):
        if pairs(text) == resource.labels:
            return text
    return ""


def _shown(number: float | None) -> str | None:
    return None if number is None else str(number)
