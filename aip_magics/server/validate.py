"""What `models.create` and `versions.create` accept, by the rules of the service (endpoint, runtime, machine, files).

Texts in quotes of the service are its own where reports of them exist; the rest follows their pattern.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable

from aip_magics import catalog
from aip_magics.errors import FailedPrecondition, InvalidArgument
from aip_magics.server import packages
from aip_magics.server.names import ModelKey, is_resource_id
from aip_magics.server.problems import violation
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
    framework = None if given.framework == "FRAMEWORK_UNSPECIFIED" else given.framework
    machine_type = given.machineType or catalog.default_machine_type(key.regional).name
    # As at the service: requestLoggingConfig counts in a patch only, and output-only fields are not the caller's.
    dropped = dict.fromkeys([*Version.OUTPUT_ONLY, "name", "etag", "requestLoggingConfig"])
    return given.replace(**dropped).replace(framework=framework, machineType=machine_type)


def _pending(given: Version) -> None:
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
    custom = "Custom code" if given.packageUris or given.predictionClass else None
    what = custom or (given.framework if given.framework in ("SCIKIT_LEARN", "XGBOOST") else None)
    if known and what and catalog.parse_version(known.version) < (1, 4):
        text = f"{what} needs runtime version 1.4 or later."
        raise violation(InvalidArgument, "runtime_version", text)


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


def _scaling(given: Version, regional: bool) -> None:
    auto, manual = given.autoScaling, given.manualScaling
    if auto and manual:
        text = "Only one of autoScaling and manualScaling may be provided."
        raise violation(InvalidArgument, "version.manual_scaling", text)
    if manual and (manual.nodes or 0) < 1:
        raise violation(InvalidArgument, "version.manual_scaling.nodes", "At least one node is required.")
    if auto is None:
        return
    least = auto.minNodes
    if least is not None and least < (1 if regional else 0):
        text = f"At least {1 if regional else 0} nodes are required on this endpoint."
        raise violation(InvalidArgument, "version.auto_scaling.min_nodes", text)
    if auto.maxNodes is not None and auto.maxNodes < max(1, least or 0):
        text = "It must be at least 1 and not below minNodes."
        raise violation(InvalidArgument, "version.auto_scaling.max_nodes", text)


def _service_account(given: Version) -> None:
    if given.serviceAccount and not (given.container or given.predictionClass):
        text = "It can be used with a custom container or a custom prediction class only."
        raise violation(InvalidArgument, "version.service_account", text)


def _routes(given: Version) -> None:
    if given.routes and not given.container:
        raise violation(InvalidArgument, "version.routes", "Routes can be used with a custom container only.")


_RULES: tuple[Callable[[Version], None], ...] = (
    packages.prediction_class,
    packages.uris,
    _pending,
    _deployment_uri,
    _runtime,
    _service_account,
    _routes,
)
_ENDPOINT_RULES: tuple[Callable[[Version, bool], None], ...] = (_machine_type, packages.machine, _scaling)


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
