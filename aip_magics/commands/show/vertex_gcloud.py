"""Write requests to Vertex AI as `gcloud ai` commands (gcloud 528)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aip_magics.client import Request
from aip_magics.commands.show import shell
from aip_magics.commands.show.api_style import style_of
from aip_magics.commands.show.vertex_address import VertexAddress
from aip_magics.i18n import gettext as _

if TYPE_CHECKING:
    from aip_magics.targets import Target

_METRICS = {"cpu/utilization": "cpu-usage", "accelerator/duty_cycle": "gpu-duty-cycle"}  # the ends of their names
_CONTAINER = {
    "command": "--container-command",
    "args": "--container-args",
    "predictRoute": "--container-predict-route",
    "healthRoute": "--container-health-route",
}


def request_lines(request: Request, target: Target, waited: bool) -> list[str]:  # noqa: ARG001 - gcloud waits itself
    """Return the command for a request; gcloud waits for the operations of all but two methods."""
    address = VertexAddress.of(request.path)
    if address is None:
        return _extension(request, target)
    body: Mapping[str, Any] = json.loads(request.body) if isinstance(request.body, bytes) else request.body or {}
    if address.operation_id or address.collection == "operations":
        return _operation(address, target)
    if address.verb in _METHODS:
        return _METHODS[address.verb](address, body, target)
    if request.method == "POST":
        return _create_endpoint(address, request, target)
    if request.method == "PATCH":
        return _update(address, request, body, target)
    action = {"GET": "describe" if address.id else "list", "DELETE": "delete"}[request.method]
    quiet = ["--quiet"] if request.method == "DELETE" else []
    return [_line(address, action, *filter(None, [address.id]), *quiet, target=target)]


def wait_lines(operation: str, target: Target) -> list[str]:
    """Return the lines that wait for a named operation: gcloud has no command for that, but to describe it."""
    address = VertexAddress.of(f"v1/{operation}")
    assert address is not None
    describe = _line(address, "describe", address.operation_id, target=target, group="operations")
    # The loop also ends at an error, which the next line prints.
    ended = f"ended=$({describe} --format='value(done)')"
    return [f'while {ended} && [ "$ended" != True ]; do sleep 1; done', describe]


def _line(address: VertexAddress, *words: str, target: Target, group: str = "") -> str:
    where = (f"--project={target.project}", f"--region={address.region}")
    return shell.words("gcloud", "ai", group or address.collection, *words, *where)


def _operation(address: VertexAddress, target: Target) -> list[str]:
    if address.verb or not address.operation_id:
        return _no_command(address, {}, target)
    return [_line(address, "describe", address.operation_id, target=target, group="operations")]


def _create_endpoint(address: VertexAddress, request: Request, target: Target) -> list[str]:
    body: Any = request.body or {}
    flags = [f"--display-name={body['displayName']}"]
    if id_ := request.params.get("endpointId"):
        flags.append(f"--endpoint-id={id_}")
    flags += [*_text("--description", body.get("description")), *_map("--labels", body.get("labels"))]
    flags += _request_logging(body)
    return [_line(address, "create", *flags, target=target)]


def _request_logging(body: Mapping[str, Any]) -> list[str]:
    config = body.get("predictRequestResponseLoggingConfig") or {}
    if not config.get("enabled"):
        return []
    table = config.get("bigqueryDestination", {}).get("outputUri")
    return [
        *_text("--request-response-logging-table", table),
        *_text("--request-response-logging-rate", config.get("samplingRate")),
    ]


def _upload(address: VertexAddress, body: Mapping[str, Any], target: Target) -> list[str]:
    model, container = body["model"], body["model"].get("containerSpec", {})
    flags = [f"--display-name={model['displayName']}"]
    flags += [*_text("--model-id", body.get("modelId")), *_text("--parent-model", body.get("parentModel"))]
    flags += [*_text("--artifact-uri", model.get("artifactUri")), f"--container-image-uri={container['imageUri']}"]
    for name, flag in _CONTAINER.items():
        value = container.get(name)
        flags += _text(flag, shell.comma_list(value) if isinstance(value, list) else value)
    flags += _map("--container-env-vars", {each["name"]: each["value"] for each in container.get("env", ())})
    flags += _text("--container-ports", ",".join(str(each["containerPort"]) for each in container.get("ports", ())))
    flags += [*_text("--description", model.get("description")), *_map("--labels", model.get("labels"))]
    flags += _text("--version-description", model.get("versionDescription"))
    flags += _text("--version-aliases", ",".join(model.get("versionAliases", ())))
    return [_line(address, "upload", *flags, target=target)]


def _deploy(address: VertexAddress, body: Mapping[str, Any], target: Target) -> list[str]:
    deployed = body["deployedModel"]
    resources = deployed.get("dedicatedResources", {})
    machine = resources.get("machineSpec", {})
    flags = [f"--model={deployed['model'].rpartition('/')[2]}", f"--display-name={deployed.get('displayName', '')}"]
    flags += [*_text("--deployed-model-id", deployed.get("id")), *_text("--machine-type", machine.get("machineType"))]
    if kind := machine.get("acceleratorType"):
        count = machine.get("acceleratorCount", 1)
        flags.append(f"--accelerator=type={kind.lower().replace('_', '-')},count={count}")
    flags += _text("--min-replica-count", resources.get("minReplicaCount"))
    flags += _text("--max-replica-count", resources.get("maxReplicaCount"))
    flags += _map("--autoscaling-metric-specs", _metrics(resources))
    flags += _text("--service-account", deployed.get("serviceAccount"))
    flags += ["--enable-access-logging"] if deployed.get("enableAccessLogging") else []
    flags += ["--disable-container-logging"] if deployed.get("disableContainerLogging") else []
    flags += _map("--traffic-split", body.get("trafficSplit"))
    return [_line(address, "deploy-model", address.id, *flags, target=target)]


def _metrics(resources: Mapping[str, Any]) -> dict[str, int]:
    return {
        name: spec["target"]
        for spec in resources.get("autoscalingMetricSpecs", ())
        for end, name in _METRICS.items()
        if spec["metricName"].endswith(end)
    }


def _undeploy(address: VertexAddress, body: Mapping[str, Any], target: Target) -> list[str]:
    flags = [f"--deployed-model-id={body['deployedModelId']}", *_map("--traffic-split", body.get("trafficSplit"))]
    return [_line(address, "undeploy-model", address.id, *flags, target=target)]


def _predict(address: VertexAddress, body: Mapping[str, Any], target: Target) -> list[str]:
    line = _line(address, "predict", address.id, "--json-request=-", target=target)
    return [f"{line} <<'EOF'", *shell.heredoc(shell.one_line(body))]


def _list_versions(address: VertexAddress, _body: Mapping[str, Any], target: Target) -> list[str]:
    return [_line(address, "list-version", address.id, target=target)]


def _delete_version(address: VertexAddress, _body: Mapping[str, Any], target: Target) -> list[str]:
    return [_line(address, "delete-version", address.id, "--quiet", target=target)]


def _no_command(address: VertexAddress, _body: Mapping[str, Any], _target: Target) -> list[str]:
    return [f"# {_('gcloud has no command for {method}', method=':'.join(filter(None, [address.name, address.verb])))}"]


_METHODS = {
    "upload": _upload,
    "listVersions": _list_versions,
    "deleteVersion": _delete_version,
    "mergeVersionAliases": _no_command,
    "deployModel": _deploy,
    "undeployModel": _undeploy,
    "mutateDeployedModel": _no_command,
    "predict": _predict,
}


def _update(address: VertexAddress, request: Request, body: Mapping[str, Any], target: Target) -> list[str]:
    if address.collection != "endpoints":
        return [f"# {_('gcloud has no command for {method}', method=f'PATCH {address.name}')}"]
    mask = request.params.get("updateMask", "").split(",")
    flags = _text("--display-name", body.get("displayName")) if "displayName" in mask else []
    flags += [f"--description={body.get('description', '')}"] if "description" in mask else []
    if "labels" in mask:  # the whole map is replaced
        flags += ["--clear-labels", *_map("--update-labels", body.get("labels"))]
    if "trafficSplit" in mask:
        flags += _map("--traffic-split", body.get("trafficSplit")) or ["--clear-traffic-split"]
    if "predictRequestResponseLoggingConfig" in mask:
        flags += _request_logging(body) or ["--disable-request-response-logging"]
    return [_line(address, "update", address.id, *flags, target=target)]


def _extension(request: Request, target: Target) -> list[str]:
    """An extension of the embedded server, which gcloud has no command for: `docker push`, or one version's answers."""
    content = request.body.decode() if isinstance(request.body, bytes) else shell.one_line(request.body)
    json_header = "-H 'Content-Type: application/json'"
    token = f'printf \'header = "Authorization: Bearer %s"\' "$(cat "${shell.TOKEN_FILE}")"'
    call = f"curl -sS --fail-with-body -K - -X {request.method} {json_header} --data-binary @/dev/fd/3"
    address = f'"${{{style_of(target).endpoint_variable}}}{request.quoted_path}"'
    return [f"{token} | {call} {address} 3<<'EOF'", *shell.heredoc(content)]


def _text(flag: str, value: object) -> list[str]:
    return [f"{flag}={value}"] if value not in (None, "") else []


def _map(flag: str, values: Mapping[str, object] | None) -> list[str]:
    return [f"{flag}={shell.comma_list([f'{key}={value}' for key, value in values.items()])}"] if values else []
