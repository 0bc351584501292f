"""Rules for a DeployedModel, and how its resources become the scaling of the version that serves it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aip_magics import catalog
from aip_magics.errors import FailedPrecondition
from aip_magics.server.vertex import model_rules
from aip_magics.server.vertex.endpoint_resources import AutoscalingMetricSpec, DedicatedResources, DeployedModel
from aip_magics.server.vertex.error_texts import field_error, refuse_unsupported
from aip_magics.spec import AutoScaling

_RESOURCES = "deployed_model.dedicated_resources"
_METRICS = "aiplatform.googleapis.com/prediction/online/"
_DUTY_CYCLE = f"{_METRICS}accelerator/duty_cycle"
_PERCENTAGES = (f"{_METRICS}cpu/utilization", _DUTY_CYCLE)
_MAX_REPLICAS = 2**31 - 1  # the fields are int32


def check_deployed_model(requested: DeployedModel) -> None:
    """Raise InvalidArgument or FailedPrecondition for the first broken rule of a model that is to be deployed."""
    if not requested.model:
        raise field_error("deployed_model.model", "A model is required.")
    if requested.displayName:
        model_rules.check_display_name("deployed_model.display_name", requested.displayName)
    refuse_unsupported(
        {
            "shared resources": requested.sharedResources,
            "explanations": requested.explanationSpec,
            "Distributed Cloud": requested.gdcConnectedModel,
            "checkpoints": requested.checkpointId,
            "speculative decoding": requested.speculativeDecodingSpec,
        }
    )
    if requested.automaticResources is not None:
        text = f"'automatic_resources' is not supported for Model {requested.model}. Please use 'dedicated_resources'."
        raise field_error("deployed_model", text)
    check_resources(requested)


def check_resources(requested: DeployedModel) -> None:
    """Raise InvalidArgument or FailedPrecondition for invalid dedicatedResources."""
    resources = requested.dedicatedResources
    if resources is None:
        raise field_error("deployed_model.prediction_resources", "Resources are required: dedicated_resources.")
    _check_machine(resources)
    least, most = resources.minReplicaCount or 0, resources.maxReplicaCount
    if not 1 <= least <= _MAX_REPLICAS:
        text = f"min_replica_count must be at least 1, got {least}."
        raise field_error(f"{_RESOURCES}.min_replica_count", text)
    if most is not None and not least <= most <= _MAX_REPLICAS:
        text = f"max_replica_count must not be below min_replica_count {least}, got {most}."
        raise field_error(f"{_RESOURCES}.max_replica_count", text)
    required = resources.requiredReplicaCount
    if required is not None and not 0 <= required <= least:
        text = f"required_replica_count must not be above min_replica_count {least}, got {required}."
        raise field_error(f"{_RESOURCES}.required_replica_count", text)
    _check_metrics(resources.autoscalingMetricSpecs or ())


def _check_machine(resources: DedicatedResources) -> None:
    spec = resources.machineSpec
    if spec is None:
        raise field_error(f"{_RESOURCES}.machine_spec", "A machine_spec is required.")
    name = spec.machineType
    known = catalog.vertex_machine_type(name) if name else None
    if name and known is None:
        text = f"Machine type {name[:100]!r} is not supported."
        raise field_error(f"{_RESOURCES}.machine_spec.machine_type", text)
    if (spec.acceleratorType or "").startswith(("NVIDIA", "TPU")) or spec.acceleratorCount or spec.tpuTopology:
        raise FailedPrecondition("The embedded server does not support accelerators.")
    if known is not None and known.accelerator:
        raise FailedPrecondition(f"The embedded server does not support accelerators; {name} has {known.accelerator}.")


def _check_metrics(metrics: tuple[AutoscalingMetricSpec, ...]) -> None:
    names = set[str | None]()
    for number, metric in enumerate(metrics):
        where = f"{_RESOURCES}.autoscaling_metric_specs[{number}]"
        if not (metric.metricName or "").startswith(_METRICS):
            text = f"Metric {(metric.metricName or '')[:200]!r} is not supported."
            raise field_error(f"{where}.metric_name", text)
        if metric.metricName == _DUTY_CYCLE:
            raise field_error(f"{where}.metric_name", "The metric needs an accelerator.")
        if metric.metricName in names:
            raise field_error(f"{where}.metric_name", f"Metric {metric.metricName!r} is specified twice.")
        names.add(metric.metricName)
        most = 100 if metric.metricName in _PERCENTAGES else _MAX_REPLICAS
        if metric.target is not None and not 1 <= metric.target <= most:
            raise field_error(f"{where}.target", f"A target must be from 1 to {most}, got {metric.target}.")


def complete_resources(deployed_model: Mapping[str, Any]) -> dict[str, Any]:
    """Return the DeployedModel with the service's defaults for machine type and the maximum of replicas."""
    resources = deployed_model["dedicatedResources"]
    machine = {"machineType": catalog.default_vertex_machine_type().name, **resources["machineSpec"]}
    machine.pop("acceleratorType", None)  # ACCELERATOR_TYPE_UNSPECIFIED; others are refused
    machine.pop("acceleratorCount", None)
    most = resources.get("maxReplicaCount") or resources["minReplicaCount"]
    return {**deployed_model, "dedicatedResources": {**resources, "machineSpec": machine, "maxReplicaCount": most}}


def serving_fields(deployed_model: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a Version that the resources of a complete DeployedModel determine."""
    resources = deployed_model["dedicatedResources"]
    return {
        "machineType": resources["machineSpec"]["machineType"],
        "autoScaling": AutoScaling(resources["minReplicaCount"], resources["maxReplicaCount"]),
        "serviceAccount": deployed_model.get("serviceAccount"),
    }
