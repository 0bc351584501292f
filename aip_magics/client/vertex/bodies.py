"""Bodies of requests: from the Model and Version of a cell to Vertex AI's Model, Endpoint and DeployedModel.

A field without a counterpart is refused by a check before anything is sent (`targets/vertex/rules/fields.py`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from aip_magics import catalog
from aip_magics.client.vertex.ids import DEFAULT_ALIAS, endpoint_id
from aip_magics.client.vertex.version import VertexVersion, is_unfinished_image
from aip_magics.spec import AutoScaling, ContainerSpec, ManualScaling, Model, Version

METRICS = {
    "CPU_USAGE": "aiplatform.googleapis.com/prediction/online/cpu/utilization",
    "GPU_DUTY_CYCLE": "aiplatform.googleapis.com/prediction/online/accelerator/duty_cycle",
}
METRIC_TARGET = 60  # per cent; the default of both APIs
MIN_REPLICAS = 1
CONTAINER_FIELDS = ("imageUri", "command", "args", "env", "ports", "predictRoute", "healthRoute")
REQUEST_LOGGING = "requestLoggingConfig"
LOGGING = ("enableAccessLogging", "disableContainerLogging")  # of a DeployedModel; on AI Platform of a model
VERSION_FIELDS = {"description": "versionDescription", "labels": "labels"}  # that can be updated, and their names
SCALING_FIELDS = ("autoScaling", "manualScaling")
REPLICA_FIELDS = ("minReplicaCount", "maxReplicaCount", "autoscalingMetricSpecs")


def endpoint(model: Model) -> dict[str, Any]:
    """The Endpoint of a model, which keeps the description and labels of the model as long as it has no version."""
    return _set(displayName=endpoint_id(model.id), description=model.description, labels=dict(model.labels or {}))


def image_uri(version: Version, model: str = "") -> str:
    """The image of a version. That of our container has no tag before: the tag names what is in it.

    Args:
        version: The version, with the URIs of its packages.
        model: The ID of the model, the last part of the name of our image.
    """
    if version.container is not None and version.container.image:
        return version.container.image
    uri = (version.imageUri if isinstance(version, VertexVersion) else None) or ""
    if not is_unfinished_image(uri):
        return uri
    content = json.dumps([version.framework, version.predictionClass, list(version.packageUris or ())])
    return f"{uri}{model}:{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def is_own_image(version: Version) -> bool:
    """Whether the image of a version is one of ours, which the embedded server has to be told of."""
    return version.container is None and isinstance(version, VertexVersion) and is_unfinished_image(version.imageUri)


def known_container_fields(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an existing container that `container_spec` writes: the service adds others."""
    return _set(**{name: spec.get(name) for name in CONTAINER_FIELDS})


def own_image(version: Version, model: str) -> dict[str, Any]:
    """What is in an image of ours, for the embedded server."""
    return _set(
        imageUri=image_uri(version, model),
        framework=version.framework,
        predictionClass=version.predictionClass,
        packageUris=list(version.packageUris or ()),
    )


def container_spec(version: Version, model: str = "") -> dict[str, Any]:
    container = version.container or ContainerSpec()
    routes = version.routes
    return _set(
        imageUri=image_uri(version, model),
        command=list(container.command or ()),
        args=list(container.args or ()),
        env=[{"name": one.name, "value": one.value} for one in container.env or ()],
        ports=[{"containerPort": port.containerPort} for port in container.ports or ()],
        predictRoute=routes.predict if routes else None,
        healthRoute=routes.health if routes else None,
    )


def uploaded_model(model: Model, version: Version, *, is_first: bool, is_default: bool) -> dict[str, Any]:
    """The Model of models:upload.

    Args:
        model: The model, with the fields of a new one.
        version: The version, with its deploymentUri.
        is_first: Whether the model does not exist yet: the labels of both then belong to it.
        is_default: Whether the version becomes the default one.
    """
    labels = {**((model.labels or {}) if is_first else {}), **(version.labels or {})}
    return _set(
        displayName=model.id,
        description=model.description if is_first else None,
        versionDescription=version.description,
        labels=labels,
        artifactUri=(version.deploymentUri or "").rstrip("/"),
        containerSpec=container_spec(version, model.id),
        versionAliases=[version.id, *([DEFAULT_ALIAS] if is_default else [])],
    )


def dedicated_resources(version: Version) -> dict[str, Any]:
    """Machine, replicas and metrics."""
    accelerator = version.acceleratorConfig
    machine = _set(
        machineType=version.machineType or catalog.default_vertex_machine_type().name,
        acceleratorType=accelerator.type if accelerator else None,
        acceleratorCount=int(accelerator.count or 1) if accelerator else None,
    )
    return {"machineSpec": machine, **replicas(version)}


def replicas(version: Version) -> dict[str, Any]:
    """The part of the resources that can be changed later."""
    scaling = version.autoScaling or AutoScaling()
    nodes = version.manualScaling.nodes if version.manualScaling else None
    least = nodes or scaling.minNodes or MIN_REPLICAS
    metrics = [
        {"metricName": METRICS[metric.name], "target": metric.target or METRIC_TARGET}
        for metric in scaling.metrics or ()
        if metric.name in METRICS
    ]
    return _set(
        minReplicaCount=least,
        maxReplicaCount=nodes or max(scaling.maxNodes or least, least),
        autoscalingMetricSpecs=metrics,
    )


def request_logging(config: Mapping[str, Any]) -> dict[str, Any]:
    """The request logging of an Endpoint; off without a table."""
    table = config.get("bigqueryTableName")
    on = {
        "enabled": bool(table),
        "samplingRate": config.get("samplingPercentage"),
        "bigqueryDestination": {"outputUri": f"bq://{table}"} if table else None,
    }
    return {"predictRequestResponseLoggingConfig": {name: value for name, value in on.items() if value is not None}}


def rescaled(current: Version, fields: Mapping[str, Any], mask: Sequence[str]) -> Version:
    """The version with the fields of `mask`, of autoScaling or manualScaling; a count of nodes ends autoscaling."""
    for path in mask:
        name, _dot, part = path.partition(".")
        if name == "manualScaling":
            return current.replace(manualScaling=ManualScaling.from_json(fields.get(name) or {}), autoScaling=None)
        if name == "autoScaling":
            before = (current.autoScaling or AutoScaling()).to_json()
            wanted = dict(fields.get(name) or {})
            changed = {**before, part: wanted.get(part)} if part else wanted
            current = current.replace(autoScaling=AutoScaling.from_json(changed), manualScaling=None)
    return current


def deployed_model(model: Model, version: Version, name: str) -> dict[str, Any]:
    """The DeployedModel of a version.

    Args:
        model: Its logging applies to all its versions.
        version: The version.
        name: The full name of the version, `projects/P/locations/L/models/M@V`.
    """
    console = model.onlinePredictionConsoleLogging
    return _set(
        model=name,
        displayName=f"{model.id}-{version.id}",
        dedicatedResources=dedicated_resources(version),
        serviceAccount=version.serviceAccount,
        enableAccessLogging=model.onlinePredictionLogging,
        disableContainerLogging=None if console is None else not console,
    )


def compared_fields(version: Version, model: str) -> Mapping[str, object]:
    """What makes a version another one, by field: a difference in description or labels does not."""
    container, resources = container_spec(version, model), dedicated_resources(version)
    machine = resources.pop("machineSpec")
    return {**container, **machine, **resources, "serviceAccount": version.serviceAccount or None}


def _set(**fields: Any) -> dict[str, Any]:
    """The fields that are set."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}
