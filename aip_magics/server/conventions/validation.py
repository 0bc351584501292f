"""Validates models and versions by the rules of the service (endpoint, runtime, machine type, files).

Messages are the service's own where they are known; others follow their pattern. Rules and messages that the service
shares with the preflight checks come from `aip_magics.checks`.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Mapping

from aip_magics import catalog, checks
from aip_magics.checks.rules.exclusive_fields import TABLE
from aip_magics.errors import FailedPrecondition, InvalidArgument
from aip_magics.server.conventions import containers, scaling_validation
from aip_magics.server.conventions.error_responses import to_snake_case, violation
from aip_magics.server.names import ModelKey, is_resource_id
from aip_magics.server.state import version_packages
from aip_magics.spec import Framework, Model, Version

_TENSORFLOW_FILES = ("saved_model.pb", "saved_model.pbtxt")
_PICKLE_FILES = ("model.joblib", "model.pkl")
_MODEL_FILES: dict[str | None, tuple[str, ...]] = {
    "TENSORFLOW": _TENSORFLOW_FILES,
    "SCIKIT_LEARN": _PICKLE_FILES,
    "XGBOOST": ("model.bst", *_PICKLE_FILES),
    None: (*_TENSORFLOW_FILES, "model.bst", *_PICKLE_FILES),
}


def check_resource_id(field: str, name: str | None) -> str:
    """Return the id of a new model or version; InvalidArgument when it is illegal."""
    if not is_resource_id(name or ""):
        raise violation(
            InvalidArgument,
            field,
            "A name should start with a letter and contain only letters, numbers and underscores; "
            f"at most {catalog.limits().name_chars} characters.",
        )
    assert name
    return name


def validate_model(requested: Model, location: str) -> Model:
    """Return the Model to store, with one region: the endpoint's own, or one that the global endpoint serves."""
    regional = location in catalog.regional_regions()
    available = (location,) if regional else catalog.global_regions()
    regions = requested.regions or ((location,) if regional else ("us-central1",))
    if len(regions) != 1:
        raise violation(InvalidArgument, "model.regions", "Exactly one region may be provided.")
    if regions[0] not in available:
        text = f"The provided GCE region '{regions[0]}' is not available. Options are [{', '.join(available)}]."
        raise violation(InvalidArgument, "model.regions", text)
    validate_labels(requested.labels)
    return Model(
        description=requested.description or None,
        regions=regions,
        onlinePredictionLogging=requested.onlinePredictionLogging or None,
        onlinePredictionConsoleLogging=requested.onlinePredictionConsoleLogging or None,
        labels=requested.labels or None,
    )


def validate_version(requested: Version, key: ModelKey) -> Version:
    """Return the Version to store, with defaults; InvalidArgument or FailedPrecondition for the first broken rule."""
    for rule in _RULES:
        rule(requested)
    for endpoint_rule in _ENDPOINT_RULES:
        endpoint_rule(requested, key.regional)
    containers.check_container(requested, key)
    framework = None if requested.framework == "FRAMEWORK_UNSPECIFIED" else requested.framework
    machine_type = requested.machineType or catalog.default_machine_type(key.regional).name
    # As in the service, requestLoggingConfig is ignored except in a patch, and output-only fields are ignored.
    dropped = dict.fromkeys([*Version.OUTPUT_ONLY, "name", "etag", "requestLoggingConfig"])
    created = requested.replace(**dropped).replace(
        framework=framework, machineType=machine_type, labels=requested.labels or None
    )
    scaling_validation.check_scaling(created)
    _preflight(created, key, CREATE_CHECKS)
    _check_supported(requested)
    return created


def validate_patch(changed: Version, key: ModelKey, paths: Collection[str]) -> None:
    """Validate a version after a patch of `paths`."""
    scaling_validation.check_patch(changed, paths)
    scaling_validation.check_scaling(changed)
    _preflight(changed, key, PATCH_CHECKS)
    config = changed.requestLoggingConfig
    if config is None:
        return
    if not TABLE.fullmatch(config.bigqueryTableName or ""):
        text = "The name of a BigQuery table is required: PROJECT.DATASET.TABLE."
        raise violation(InvalidArgument, "version.request_logging_config.bigquery_table_name", text)
    if not 0 <= (config.samplingPercentage or 0) <= 1:
        text = "A fraction from 0 to 1 is required."
        raise violation(InvalidArgument, "version.request_logging_config.sampling_percentage", text)


def validate_labels(requested: Mapping[str, str] | None) -> None:
    """Raise InvalidArgument when labels break the rules of Google Cloud."""
    _raise_first(checks.CheckContext(Model(labels=requested), Version()), ("F02",))


# Preflight checks that are also rules of the service: labels, libraries of runtimes, accelerators, service account, the
# two kinds of scaling.
CREATE_CHECKS = ("F02", "S11", "S13", "S15", "S20", "S21", "S22")
PATCH_CHECKS = ("F02", "S21", "S22")


def _preflight(created: Version, key: ModelKey, ids: Collection[str]) -> None:
    target = checks.TargetFacts("aiplatform", key.location if key.regional else None)
    _raise_first(checks.CheckContext(Model(), created, target=target), ids)


def _raise_first(subject: checks.CheckContext, ids: Collection[str]) -> None:
    for id_ in ids:
        outcome = checks.RULES[id_].apply(subject)
        if isinstance(outcome, checks.Failed):
            finding = outcome.findings[0]
            text = "; ".join(filter(None, (finding.message, finding.fix)))
            raise violation(InvalidArgument, to_snake_case(finding.subject), text)


def _check_supported(requested: Version) -> None:
    unsupported = {
        "version.container": (requested.container, "custom containers"),
        "version.explanation_config": (requested.explanationConfig, "explanations"),
        "version.accelerator_config": (requested.acceleratorConfig, "accelerators"),
    }
    for field, (value, what) in unsupported.items():
        if value:
            text = f"The embedded server does not support {what}."
            raise violation(FailedPrecondition, field, text)


def _deployment_uri(requested: Version) -> None:
    uri = requested.deploymentUri
    if not uri and requested.container:
        return
    if not uri:
        text = "A deployment directory in Cloud Storage is required."
        raise violation(InvalidArgument, "version.deployment_uri", text)
    if not re.fullmatch(r"gs://[^/]+(/.*)?", uri, re.DOTALL):
        text = f"'{uri}' is not the URI of a Cloud Storage directory: gs://BUCKET/DIRECTORY/."
        raise violation(InvalidArgument, "version.deployment_uri", text)
    if posixpath.splitext(uri)[1] in (".pb", ".pbtxt", ".pkl", ".joblib", ".bst", ".h5", ".keras"):
        text = f"'{uri}' names a file; expected the directory of the file."
        raise violation(InvalidArgument, "version.deployment_uri", text)


def _runtime(requested: Version) -> None:
    # Unlike in the service, both are optional: a version is served by the Python that deployed it.
    known = catalog.runtime(requested.runtimeVersion) if requested.runtimeVersion else None
    python_fits = known is None or not requested.pythonVersion or requested.pythonVersion in known.python
    if (requested.runtimeVersion and known is None) or not python_fits:
        supported = known.python if known else [row.version for row in catalog.runtimes()[:5]]
        options = f"Python versions of runtime {known.version}" if known else "Newest runtime versions"
        raise violation(
            InvalidArgument,
            "runtime_version",
            f"The specified runtime version '{requested.runtimeVersion}' with the Python version "
            f"'{requested.pythonVersion or ''}' is not supported or is deprecated. {options}: {', '.join(supported)}.",
        )


def _machine_type(requested: Version, regional: bool) -> None:
    name = requested.machineType
    if not name:
        return
    known = catalog.machine_type(name)
    if known is None:
        raise violation(InvalidArgument, "version.machine_type", f"Unsupported machine type '{name}'.")
    if known.family == "N1" and not regional:
        raise InvalidArgument(f"The specified machine type '{name}' is only available on the regional endpoint.")
    if known.family == "MLS1" and regional:
        raise InvalidArgument(f"The specified machine type '{name}' is only available on the global endpoint.")


_RULES: tuple[Callable[[Version], None], ...] = (
    version_packages.check_prediction_class,
    version_packages.check_package_uris,
    _deployment_uri,
    _runtime,
)
_ENDPOINT_RULES: tuple[Callable[[Version, bool], None], ...] = (_machine_type, version_packages.check_machine_type)


def detect_framework(
    version: Version, names: list[str], sizes: list[int], machine_type: str | None = None
) -> Framework | None:
    """Detect the framework from the file names in the deployment directory, unless the version has one.

    None means a pickled model, whose framework the worker finds out, or a custom prediction routine, which may have any
    files. FailedPrecondition when there is not exactly one model file, or too many or too large files (`sizes` in
    bytes) for the `machine_type` of the request; a request without one is limited by this machine alone.
    """
    uri, expected = version.deploymentUri or "", _MODEL_FILES[version.framework]
    model_files = [name for name in names if name in expected]
    if len(model_files) != 1 and not version.predictionClass:
        text = f"Deployment directory {uri} is expected to contain exactly one of: [{', '.join(expected)}]."
        raise violation(FailedPrecondition, "version.deployment_uri", text)
    if machine_type:
        _check_size(uri, sizes, machine_type)
    if version.predictionClass:
        return None
    known: dict[str, Framework] = {**dict.fromkeys(_TENSORFLOW_FILES, "TENSORFLOW"), "model.bst": "XGBOOST"}
    return version.framework or known.get(model_files[0])


def _check_size(uri: str, sizes: list[int], machine_type: str) -> None:
    limits = catalog.limits()
    if len(sizes) > limits.model_dir_files:
        text = f"{uri} holds {len(sizes)} files, which exceeds the allowed maximum of {limits.model_dir_files}."
        raise violation(FailedPrecondition, "version.deployment_uri", text)
    known = catalog.machine_type(machine_type)
    largest = limits.model_dir_bytes(known.family if known else "MLS1")
    if sum(sizes) > largest:
        text = (
            f"The total size of files in {uri} is {sum(sizes)} bytes, which exceeds the allowed maximum of "
            f"{largest} bytes."
        )
        raise violation(FailedPrecondition, "version.deployment_uri", text)
