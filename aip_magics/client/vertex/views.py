"""Vertex AI's Model, Endpoint and DeployedModel in the terms of a cell: `Model` and `VertexVersion`.

A Vertex Model is one version of it: `models.get` returns the default version, `listVersions` all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from aip_magics import catalog
from aip_magics.client.vertex import bodies
from aip_magics.client.vertex.ids import DEFAULT_ALIAS
from aip_magics.client.vertex.place import Place
from aip_magics.client.vertex.version import VertexVersion
from aip_magics.spec import (
    AcceleratorConfig,
    AutoScaling,
    ContainerPort,
    ContainerSpec,
    EnvVar,
    Framework,
    Int64,
    MetricSpec,
    Model,
    RequestLoggingConfig,
    RouteMap,
    State,
)

OWN_REPOSITORY = "/aip-magics/"  # in the URI of an image of ours
_NUMBERED = re.compile(r"v\d+")
_METRIC_NAMES = {name: metric for metric, name in bodies.METRICS.items()}
Json = Mapping[str, Any]


def version_number(model: Json) -> str:
    """The number of the version that a Vertex Model is."""
    return str(model.get("versionId") or "")


def version_name(model: Json) -> str:
    """The name of a version in a cell: its alias, `v1` before others; its number if it has none."""
    aliases = [alias for alias in model.get("versionAliases") or () if alias != DEFAULT_ALIAS]
    numbered = [alias for alias in aliases if _NUMBERED.fullmatch(alias)]
    return str(next(iter(numbered or sorted(aliases)), version_number(model)))


def is_default(model: Json) -> bool:
    return DEFAULT_ALIAS in (model.get("versionAliases") or ())


def has_name(model: Json, name: str) -> bool:
    """Whether a version has this alias or number."""
    return name == version_number(model) or name in (model.get("versionAliases") or ())


def deployments(endpoint: Json | None, model_id: str) -> list[Json]:
    """The deployed models of an endpoint that belong to a model, those with the most traffic first."""
    split = traffic_split(endpoint)
    found = [one for one in (endpoint or {}).get("deployedModels") or () if _model_id(one) == model_id]
    return sorted(found, key=lambda one: -split.get(str(one.get("id")), 0))


def other_models(endpoint: Json, model_id: str) -> set[str]:
    """The IDs of other models that are deployed to an endpoint."""
    return {_model_id(one) for one in endpoint.get("deployedModels") or ()} - {model_id}


def traffic_split(endpoint: Json | None) -> dict[str, int]:
    """Percent by the ID of a deployed model."""
    return {str(id): int(percent) for id, percent in ((endpoint or {}).get("trafficSplit") or {}).items()}


def find_deployment(endpoint: Json | None, model: Json, model_id: str) -> Json | None:
    """The deployed model of a version; None if the version is not deployed."""
    number = version_number(model)
    return next((one for one in deployments(endpoint, model_id) if _deployed_number(one) == number), None)


def version(
    place: Place, model: Json, model_id: str, endpoint: Json | None, *, creating: bool = False
) -> VertexVersion:
    """Build a version.

    Args:
        place: The place of the model.
        model: The Vertex Model of this version.
        model_id: The ID of the model.
        endpoint: The Endpoint of the model; None if it has none.
        creating: Whether an operation is deploying it.
    """
    deployed = find_deployment(endpoint, model, model_id)
    state = "READY" if deployed else "CREATING" if creating else "UNDEPLOYED"
    inherited = (endpoint or {}).get("labels") or {}
    labels = {key: value for key, value in (model.get("labels") or {}).items() if inherited.get(key) != value}
    found = VertexVersion(
        name=f"{place.model(model_id)}/versions/{version_name(model)}",
        description=model.get("versionDescription"),
        isDefault=True if is_default(model) else None,
        deploymentUri=model.get("artifactUri"),
        createTime=model.get("versionCreateTime") or model.get("createTime"),
        labels=labels or None,
        state=cast(State, state),
        modelVersion=f"{place.model(model_id)}@{version_number(model)}",
        versionAliases=tuple(model.get("versionAliases") or ()) or None,
        **_container(model.get("containerSpec") or {}),
    )
    if deployed is None:
        return found
    id_ = str(deployed.get("id"))
    return found.replace(
        requestLoggingConfig=_request_logging(endpoint or {}),
        endpoint=(endpoint or {}).get("name"),
        deployedModelId=id_,
        trafficPercentage=traffic_split(endpoint).get(id_, 0),
        serviceAccount=deployed.get("serviceAccount") or None,
        **_resources(deployed.get("dedicatedResources") or {}),
    )


def model(place: Place, model_id: str, found: Json | None, endpoint: Json | None) -> Model:
    """Build a model from the Vertex Model of its default version and its Endpoint, of which one may be missing."""
    serving = next(iter(deployments(endpoint, model_id)), None)
    own = endpoint if endpoint is not None else found or {}
    return Model(
        name=place.model(model_id),
        description=(found or {}).get("description") or own.get("description"),
        labels=own.get("labels") or None,
        regions=(place.region,),
        defaultVersion=version(place, found, model_id, endpoint) if found is not None else None,
        onlinePredictionLogging=serving.get("enableAccessLogging") or None if serving else None,
        onlinePredictionConsoleLogging=not serving.get("disableContainerLogging") if serving else None,
    )


def short_id(resource: Json) -> str:
    """The ID of a resource, without the version of a model."""
    return str(resource.get("name") or "").rpartition("/")[2].partition("@")[0]


def _model_id(deployed: Json) -> str:
    return str(deployed.get("model") or "").rpartition("/")[2].partition("@")[0]


def _deployed_number(deployed: Json) -> str:
    return str(deployed.get("modelVersionId") or str(deployed.get("model") or "").partition("@")[2])


def _container(spec: Json) -> dict[str, Any]:
    """The fields of a version that its container has."""
    uri = str(spec.get("imageUri") or "")
    prebuilt = catalog.prediction_image(uri)
    routes = RouteMap(spec.get("predictRoute"), spec.get("healthRoute"))
    found: dict[str, Any] = {"routes": routes if routes != RouteMap() else None}
    if (prebuilt or OWN_REPOSITORY in uri) and not any(spec.get(name) for name in ("command", "args", "ports", "env")):
        framework = prebuilt.framework if prebuilt else ""
        known = framework in ("SCIKIT_LEARN", "XGBOOST", "TENSORFLOW")
        return {**found, "imageUri": uri, "framework": cast(Framework, framework) if known else None}
    container = ContainerSpec(
        uri,
        tuple(spec.get("command") or ()) or None,
        tuple(spec.get("args") or ()) or None,
        tuple(ContainerPort(port.get("containerPort")) for port in spec.get("ports") or ()) or None,
        tuple(EnvVar(one.get("name"), one.get("value")) for one in spec.get("env") or ()) or None,
    )
    return {**found, "container": container}


def _resources(resources: Json) -> dict[str, Any]:
    """The fields of a version that its deployment has."""
    machine = resources.get("machineSpec") or {}
    accelerator = machine.get("acceleratorType")
    least = int(resources.get("minReplicaCount") or 1)
    most = int(resources.get("maxReplicaCount") or least)
    metrics = tuple(_metrics(resources.get("autoscalingMetricSpecs") or ())) or None
    return {
        "machineType": machine.get("machineType"),
        "acceleratorConfig": AcceleratorConfig(Int64(machine.get("acceleratorCount") or 1), accelerator)
        if accelerator
        else None,
        "autoScaling": AutoScaling(least, most, metrics),
    }


def _request_logging(endpoint: Json) -> RequestLoggingConfig | None:
    config = endpoint.get("predictRequestResponseLoggingConfig") or {}
    table = str((config.get("bigqueryDestination") or {}).get("outputUri") or "").removeprefix("bq://")
    return RequestLoggingConfig(table or None, config.get("samplingRate")) if config.get("enabled") else None


def _metrics(specs: Sequence[Json]) -> Iterator[MetricSpec]:
    for spec in specs:
        name = _METRIC_NAMES.get(str(spec.get("metricName")))
        if name is not None:
            yield MetricSpec(cast(Any, name), int(spec.get("target") or bodies.METRIC_TARGET))
