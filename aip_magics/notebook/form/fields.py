"""The fields of the form, as in the pages of the Cloud console for a model and a version, in the same order."""

from __future__ import annotations

import dataclasses
import re
from typing import Literal

from aip_magics.i18n import gettext as _
from aip_magics.spec import Model, Version, field_types

Kind = Literal["text", "choice", "check", "area"]


@dataclasses.dataclass(frozen=True)
class Field:
    """A field. `subjects` are the prefixes of the subjects of its findings (`version.labels`)."""

    id: str
    kind: Kind
    section: str
    label: str
    help: str = ""
    subjects: tuple[str, ...] = ()


def fields() -> tuple[Field, ...]:
    """All fields, in the current language."""
    return (*_model(_("Model")), *_version(_("Version")), *_scaling(_("Scaling")), *_test(_("Test")))


def _model(section: str) -> tuple[Field, ...]:
    return (
        Field("model", "text", section, _("Model name"), _("default: the name of the directory"), ("model.name",)),
        Field("target", "choice", section, _("Target"), "", ("target",)),
        Field("project", "text", section, _("Project"), _("project of the models"), ("project",)),
        Field("endpoint", "choice", section, _("Endpoint"), "", ("region",)),
        Field("region", "choice", section, _("Region"), "", ("model.regions",)),
        Field("logging", "check", section, _("Log requests"), "", ("model.onlinePredictionLogging",)),
        Field("consoleLogging", "check", section, _("Log node output"), "", _CONSOLE),
        Field("modelDescription", "text", section, _("Model description"), "", ("model.description",)),
        Field("modelLabels", "text", section, _("Model labels"), _PAIRS, ("model.labels",)),
    )


def _version(section: str) -> tuple[Field, ...]:
    return (
        Field("version", "text", section, _("Version name"), _("default: the next free name"), ("version.name",)),
        Field("replace", "check", section, _("Replace this version"), "", ("replace",)),
        Field("description", "text", section, _("Description"), "", ("version.description",)),
        Field("origin", "text", section, _("Model URI"), _("model directory, local or gs://"), _ORIGIN),
        Field("trust", "check", section, _("Trust the model's code"), "", ("trust",)),
        Field("framework", "choice", section, _("Framework"), "", ("version.framework",)),
        Field("frameworkVersion", "choice", section, _("Framework version")),
        Field("runtimeVersion", "choice", section, _("Runtime version"), "", ("version.runtimeVersion",)),
        Field("pythonVersion", "choice", section, _("Python version"), "", ("version.pythonVersion",)),
        Field("machineType", "choice", section, _("Machine type"), "", ("version.machineType",)),
        Field(
            "packageUris",
            "text",
            section,
            _("Custom code"),
            _("packages (.tar.gz), local or gs://, separated by commas"),
            ("version.packageUris",),
        ),
        Field("predictionClass", "text", section, _("Prediction class"), "module.Class", ("version.predictionClass",)),
        Field("serviceAccount", "text", section, _("Service account"), "", ("version.serviceAccount",)),
        Field("labels", "text", section, _("Labels"), _PAIRS, ("version.labels",)),
        Field("logTable", "text", section, _("BigQuery table"), _("log requests: project.dataset.table"), (_LOG,)),
        Field(
            "logShare",
            "text",
            section,
            _("Share of requests"),
            _("log requests: 0 to 1 of them"),
            (f"{_LOG}.samplingPercentage",),
        ),
    )


def _scaling(section: str) -> tuple[Field, ...]:
    auto = "version.autoScaling"
    return (
        Field("scaling", "choice", section, _("Scaling"), "", (auto,)),
        Field(
            "minNodes",
            "text",
            section,
            _("Minimum nodes"),
            _("default: chosen by the service"),
            (f"{auto}.minNodes",),
        ),
        Field(
            "maxNodes",
            "text",
            section,
            _("Maximum nodes"),
            _("default: chosen by the service"),
            (f"{auto}.maxNodes",),
        ),
        Field("nodes", "text", section, _("Number of nodes"), "", ("version.manualScaling",)),
    )


def _test(section: str) -> tuple[Field, ...]:
    return (Field("test", "area", section, _("Test instances"), "[[5.1, 3.5, 1.4, 0.2]]", ("test", "instances")),)


_PAIRS = "key=value,key=value"
_LOG = "version.requestLoggingConfig"
_CONSOLE = ("model.onlinePredictionConsoleLogging",)
_ORIGIN = ("origin", "version.deploymentUri")


def get_field(subject: str) -> str:
    """The field of a finding with this subject; empty without a field (a container, an accelerator)."""
    best = max(
        ((name, field.id) for field in fields() for name in field.subjects if _below(subject, name)),
        key=lambda found: len(found[0]),
        default=("", ""),
    )
    # A subject that is not a field of a resource is a file (`model.joblib`) or the directory of the model.
    return best[1] or ("" if _is_resource_field(subject) else "origin")


def get_label(id: str, value: str) -> str:
    """The label of a choice; names of the API, of targets and of regions are not translated."""
    labels = {
        "": _("(default)"),
        "global": _("global"),
        "regional": _("regional"),
        "embedded": _("the embedded server, as a rehearsal"),
        "automatic": _("automatic"),
        "manual": _("manual"),
    }
    return labels.get(value, value) if id not in ("region", "target") else value


def _is_resource_field(subject: str) -> bool:
    resource, _sep, name = subject.partition(".")
    kinds = {"model": Model, "version": Version}
    return resource in kinds and re.split(r"[.\[]", name)[0] in field_types(kinds[resource])


def _below(subject: str, name: str) -> bool:
    return subject == name or subject.startswith((f"{name}.", f"{name}["))
