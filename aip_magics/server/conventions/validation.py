"""What `models.create` and `versions.create` accept, by the rules of the service (endpoint, runtime, machine, files).

Texts are the service's own where reports of them exist; the rest follows their pattern. Where there is none, the rule
and its text are those of the preflight (`aip_magics.checks`).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Mapping

from aip_magics import catalog, checks
from aip_magics.checks.rules.exclusive_fields import TABLE
from aip_magics.errors import FailedPrecondition, InvalidArgument
from aip_magics.server.conventions import containers, scaling_validation
from aip_magics.server.conventions.error_responses import snake, violation
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


def resource_id(field: str, name: str | None) -> str:
    """The bare id of a new model or version."""
    if not is_resource_id(name or ""):
        raise violation(
            InvalidArgument,
            field,
            "A name should start with a letter and contain only letters, numbers and underscores; "
            f"at most {catalog.limits().name_chars} characters.",
        )
    assert name
    return name


def model(given: Model, location: str) -> Model:
    """The Model to store: one region, the endpoint's own or one that the global endpoint serves."""
    regional = location in catalog.regional_regions()
    available = (location,) if regional else catalog.global_regions()
    regions = given.regions or ((location,) if regional else ("us-central1",))
    if len(regions) != 1:
        raise violation(InvalidArgument, "model.regions", "Exactly one region may be provided.")
    if regions[0] not in available:
        text = f"The provided GCE region '{regions[0]}' is not available. Options are [{', '.join(available)}]."
        raise violation(InvalidArgument, "model.regions", text)
    model_labels(given.labels)
    return Model(
        description=given.description or None,
        regions=regions,
        onlinePredictionLogging=given.onlinePredictionLogging or None,
        onlinePredictionConsoleLogging=given.onlinePredictionConsoleLogging or None,
        labels=given.labels or None,
    )


def version(given: Version, key: ModelKey) -> Version:
    """The Version to store, defaults filled in. InvalidArgument or FailedPrecondition by the first broken rule."""
    for rule in _RULES:
        rule(given)
    for endpoint_rule in _ENDPOINT_RULES:
        endpoint_rule(given, key.regional)
    containers.check_container(given, key)
    framework = None if given.framework == "FRAMEWORK_UNSPECIFIED" else given.framework
    machine_type = given.machineType or catalog.default_machine_type(key.regional).name
    # As at the service: requestLoggingConfig counts in a patch only, and output-only fields are not the caller's.
    dropped = dict.fromkeys([*Version.OUTPUT_ONLY, "name", "etag", "requestLoggingConfig"])
    made = given.replace(**dropped).replace(framework=framework, machineType=machine_type, labels=given.labels or None)
    scaling_validation.check_scaling(made)
    _preflight(made, key, CREATE_CHECKS)
    _not_here(given)
    return made


def patched(changed: Version, key: ModelKey, paths: Collection[str]) -> None:
    """The rules for what a patch of these paths has made of a version."""
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


def model_labels(given: Mapping[str, str] | None) -> None:
    """InvalidArgument where labels break the rule common to Google Cloud."""
    _raise_first(checks.CheckContext(Model(labels=given), Version()), ("F02",))


# Checks of the preflight that are rules of the service, too: labels, what runtimes have, accelerators, service account,
# the two kinds of scaling.
CREATE_CHECKS = ("F02", "S11", "S13", "S15", "S20", "S21", "S22")
PATCH_CHECKS = ("F02", "S21", "S22")


def _preflight(made: Version, key: ModelKey, ids: Collection[str]) -> None:
    target = checks.TargetKind("aiplatform", key.location if key.regional else None)
    _raise_first(checks.CheckContext(Model(), made, target=target), ids)


def _raise_first(subject: checks.CheckContext, ids: Collection[str]) -> None:
    for id_ in ids:
        outcome = checks.RULES[id_].apply(subject)
        if isinstance(outcome, checks.Failed):
            found = outcome.findings[0]
            text = "; ".join(filter(None, (found.message, found.fix)))
            raise violation(InvalidArgument, snake(found.subject), text)


def _not_here(given: Version) -> None:
    refused = {
        "version.container": (given.container, "custom containers"),
        "version.explanation_config": (given.explanationConfig, "explanations"),
        "version.accelerator_config": (given.acceleratorConfig, "accelerators"),
    }
    for field, (value, what) in refused.items():
        if value:
            text = f"The embedded server has no {what}; it cannot serve this version."
            raise violation(FailedPrecondition, field, text)


def _deployment_uri(given: Version) -> None:
    uri = given.deploymentUri
    if not uri and given.container:
        return
    if not uri:
        text = "A deployment directory in Cloud Storage is required."
        raise violation(InvalidArgument, "version.deployment_uri", text)
    if not re.fullmatch(r"gs://[^/]+(/.*)?", uri, re.DOTALL):
        text = f"'{uri}' is not the URI of a Cloud Storage directory: gs://BUCKET/DIRECTORY/."
        raise violation(InvalidArgument, "version.deployment_uri", text)
    if posixpath.splitext(uri)[1] in (".pb", ".pbtxt", ".pkl", ".joblib", ".bst", ".h5", ".keras"):
        text = f"'{uri}' names a file; give the directory that holds it."
        raise violation(InvalidArgument, "version.deployment_uri", text)


def _runtime(given: Version) -> None:
    # Both may be left out here, and only here: a version is served by the Python that deployed it.
    known = catalog.runtime(given.runtimeVersion) if given.runtimeVersion else None
    python_fits = known is None or not given.pythonVersion or given.pythonVersion in known.python
    if (given.runtimeVersion and known is None) or not python_fits:
        offered = known.python if known else [row.version for row in catalog.runtimes()[:5]]
        options = f"Python versions of runtime {known.version}" if known else "Newest runtime versions"
        raise violation(
            InvalidArgument,
            "runtime_version",
            f"The specified runtime version '{given.runtimeVersion}' with the Python version "
            f"'{given.pythonVersion or ''}' is not supported or is deprecated. {options}: {', '.join(offered)}.",
        )


def _machine_type(given: Version, regional: bool) -> None:
    name = given.machineType
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
    version_packages.prediction_class,
    version_packages.uris,
    _deployment_uri,
    _runtime,
)
_ENDPOINT_RULES: tuple[Callable[[Version, bool], None], ...] = (_machine_type, version_packages.machine)


def framework_of(version: Version, names: list[str], sizes: list[int]) -> Framework | None:
    """The framework by the names of the files in the deployment directory, where it is not given.

    None means a pickled model of which only the worker can tell, or a custom prediction routine, which may have any
    files. FailedPrecondition when there is not exactly one model file, or too many or too large files (`sizes` in
    bytes).
    """
    uri, wanted = version.deploymentUri or "", _MODEL_FILES[version.framework]
    found = [name for name in names if name in wanted]
    if len(found) != 1 and not version.predictionClass:
        text = f"Deployment directory {uri} is expected to contain exactly one of: [{', '.join(wanted)}]."
        raise violation(FailedPrecondition, "version.deployment_uri", text)
    _check_size(uri, sizes, version.machineType or "")
    if version.predictionClass:
        return None
    known: dict[str, Framework] = {**dict.fromkeys(_TENSORFLOW_FILES, "TENSORFLOW"), "model.bst": "XGBOOST"}
    return version.framework or known.get(found[0])


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
