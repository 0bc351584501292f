"""Rules of Vertex AI for models and their versions."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

from aip_magics.errors import FailedPrecondition
from aip_magics.server.conventions import google_json, validation
from aip_magics.server.vertex.error_texts import field_error
from aip_magics.server.vertex.resources import Model, ModelContainerSpec, Port, UploadModelRequest

MAX_DISPLAY_NAME_CHARS = 128
MAX_VARIABLES = 200
MAX_VARIABLE_BYTES = 128 << 10
MAX_VARIABLES_BYTES = 512 << 10
MAX_DEPLOYMENT_SECONDS = 7200

_MODEL_ID = re.compile(r"[a-z_][a-z0-9_-]{0,62}")
_ALIAS = re.compile(r"[a-z][a-zA-Z0-9-]{0,126}[a-z0-9]")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_URI = re.compile(r"gs://[^/]+(/.*)?", re.DOTALL)
_MODEL_FILE = frozenset({".pb", ".pbtxt", ".pkl", ".joblib", ".bst", ".h5", ".keras", ".mar"})


def validate_upload(body: UploadModelRequest) -> tuple[Model, str]:
    """Return the Model of an upload and its image; InvalidArgument or FailedPrecondition for the first broken rule."""
    if body.model is None:
        raise field_error("model", "Required field is not set.")
    if body.modelId and not _MODEL_ID.fullmatch(body.modelId):
        text = "At most 63 of the characters [a-z0-9_-] are allowed; the first cannot be a number or hyphen."
        raise field_error("model_id", f"Invalid id {body.modelId[:200]!r}. {text}")
    model = body.model
    check_display_name("model.display_name", model.displayName)
    validation.validate_labels(model.labels)
    for alias in model.versionAliases or ():
        check_alias("model.version_aliases", alias)
    _check_artifact_uri(model.artifactUri)
    if model.explanationSpec:
        raise FailedPrecondition("The embedded server does not offer explanations: remove model.explanation_spec.")
    container = model.containerSpec or ModelContainerSpec()
    if not container.imageUri:
        raise field_error("model.container_spec.image_uri", "Required field is not set.")
    _check_container(container)
    return model, container.imageUri


def check_display_name(field: str, name: str | None) -> None:
    """Check that a display name is given, and not too long."""
    if not name:
        raise field_error(field, "Required field is not set.")
    if len(name) > MAX_DISPLAY_NAME_CHARS:
        raise field_error(field, f"The name can be up to {MAX_DISPLAY_NAME_CHARS} characters long, got {len(name)}.")


def check_alias(field: str, alias: str) -> None:
    """Check the syntax of a version's alias, which cannot be a number."""
    if not _ALIAS.fullmatch(alias):
        text = "Expected [a-z][a-zA-Z0-9-]{0,126}[a-z0-9]."
        raise field_error(field, f"Invalid version alias {alias[:200]!r}. {text}")


def _check_artifact_uri(uri: str | None) -> None:
    field = "model.artifact_uri"
    if uri and not _URI.fullmatch(uri):
        raise field_error(field, f"{uri[:300]!r} is not the URI of a Cloud Storage directory: gs://BUCKET/DIRECTORY/.")
    if uri and posixpath.splitext(uri)[1] in _MODEL_FILE:
        raise field_error(field, f"{uri[:300]!r} names a file; expected the directory of the file.")


def _check_container(spec: ModelContainerSpec) -> None:
    where = "model.container_spec"
    variables = spec.env or ()
    if len(variables) > MAX_VARIABLES:
        raise field_error(f"{where}.env", f"At most {MAX_VARIABLES} environment variables are allowed.")
    sizes = []
    for variable in variables:
        name = variable.name or ""
        if not _VARIABLE.fullmatch(name):
            raise field_error(f"{where}.env.name", f"{name[:200]!r} is not a valid name of a variable.")
        if name.startswith("AIP_"):
            raise field_error(f"{where}.env.name", f"{name[:200]!r} starts with the reserved prefix AIP_.")
        sizes.append(len(name.encode()) + len((variable.value or "").encode()))
    if any(size > MAX_VARIABLE_BYTES for size in sizes) or sum(sizes) > MAX_VARIABLES_BYTES:
        text = f"A variable can have up to {MAX_VARIABLE_BYTES} bytes, all together {MAX_VARIABLES_BYTES}."
        raise field_error(f"{where}.env", text)
    _check_ports(f"{where}.ports", spec.ports or ())
    _check_ports(f"{where}.grpc_ports", spec.grpcPorts or ())
    for field, route in (("predict_route", spec.predictRoute), ("health_route", spec.healthRoute)):
        if route and not route.startswith("/"):
            raise field_error(f"{where}.{field}", f"A route starts with a slash, got {route[:200]!r}.")
    seconds = google_json.parse_duration(spec.deploymentTimeout or "0s")
    if seconds is None or seconds > MAX_DEPLOYMENT_SECONDS:
        text = f"Expected seconds such as 1800s, at most {MAX_DEPLOYMENT_SECONDS}s."
        raise field_error(f"{where}.deployment_timeout", text)


def _check_ports(field: str, ports: Iterable[Port]) -> None:
    for port in ports:
        if not 1 <= (port.containerPort or 0) <= 65535:
            raise field_error(field, "A port must be a number from 1 to 65535.")
