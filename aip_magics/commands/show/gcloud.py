"""Write planned calls as gcloud commands (gcloud 528): transfers, and the requests to AI Platform's API."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aip_magics.client import Request, Wait
from aip_magics.commands.show import shell, vertex_gcloud
from aip_magics.commands.show.api_style import style_of
from aip_magics.commands.show.planned_calls import (
    Address,
    Download,
    MakeBucket,
    PlannedCall,
    Remove,
    Sync,
    Upload,
)
from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _

if TYPE_CHECKING:
    from aip_magics.targets import Target

# Fields that are passed in a YAML file: two have no flag, gcloud drops `--min-nodes=0`, and the other flags are beta.
_IN_FILE = ("autoScaling", "manualScaling", "packageUris", "predictionClass", "serviceAccount")
_IN_BETA_FILE = ("container", "routes")
_FLAGS = {
    "deploymentUri": "--origin",
    "runtimeVersion": "--runtime-version",
    "pythonVersion": "--python-version",
    "machineType": "--machine-type",
    "description": "--description",
}
_METHODS = {
    "integratedGradientsAttribution": ("integrated-gradients", "--num-integral-steps", "numIntegralSteps"),
    "sampledShapleyAttribution": ("sampled-shapley", "--num-paths", "numPaths"),
    "xraiAttribution": ("xrai", "--num-integral-steps", "numIntegralSteps"),
}


def lines(calls: Sequence[PlannedCall], target: Target) -> list[str]:
    """Return the commands. gcloud waits by itself; only a named operation needs a command to wait."""
    found = list(_preamble(target))
    for index, call in enumerate(calls):
        waited = any(isinstance(later, Wait) for later in calls[index + 1 :])
        found += _command(call, target, waited)
    return found


def _preamble(target: Target) -> Iterator[str]:
    """Export the environment variables that point gcloud at the target."""
    settings, style = target.settings, style_of(target)
    if target.runs_here:
        yield shell.SERVER_ENV
        if style.region_headers(target):
            # gcloud puts the region before the host name, so the embedded server must act as a proxy for that name.
            yield f'export CLOUDSDK_PROXY_PORT="${{{style.endpoint_variable}##*:}}"'
            yield 'export CLOUDSDK_PROXY_PORT="${CLOUDSDK_PROXY_PORT%/}"'
            proxy = {"CLOUDSDK_PROXY_TYPE": "http", "CLOUDSDK_PROXY_ADDRESS": "127.0.0.1"}
            yield from shell.exports({**proxy, style.endpoint_variable: f"http://{style.host}/"})
        return
    if settings.endpoint:
        yield from shell.exports({style.endpoint_variable: f"{target.endpoint}/"})
    if settings.storage_endpoint:
        yield from shell.exports({shell.STORAGE: f"{target.storage_url}/"})


def _command(call: PlannedCall, target: Target, waited: bool) -> list[str]:
    project = f"--project={target.project}"
    if isinstance(call, MakeBucket):
        exists = shell.words("gcloud", "storage", "buckets", "describe", f"gs://{call.name}", project)
        create = ("gcloud", "storage", "buckets", "create", f"gs://{call.name}", f"--location={call.location}", project)
        return [f"{exists} > /dev/null 2>&1 || {shell.words(*create)}"]
    if isinstance(call, Upload):
        return [shell.words("gcloud", "storage", "cp", str(call.path), f"gs://{call.bucket}/{call.object}")]
    if isinstance(call, Sync):
        return [_sync(call)]
    if isinstance(call, Download):
        return [shell.words("mkdir", "-p", str(call.directory)), _fetch(call)]
    if isinstance(call, Remove):
        return [_removal(call)] if call.objects else []
    if isinstance(call, Wait):
        return _APIS[target.api][1](call.operation, target) if call.operation else []
    return _APIS[target.api][0](call, target, waited)


def _sync(call: Sync) -> str:
    """Sync with rsync, which uploads only changed files. By default it includes hidden files and ignores links."""
    # Comma-separated patterns, matched from the beginning; a leading `^` would set another delimiter.
    names = ",".join(re.escape(name).replace(",", r"\x2c") + "(/|$)" for name in call.left_out)
    flags = ["--recursive", "--checksums-only", "--no-ignore-symlinks"]
    flags += ["--delete-unmatched-destination-objects"] if call.delete_extra else []
    flags += [f"--exclude={names}"] if names else []
    return shell.words("gcloud", "storage", "rsync", *flags, str(call.directory), f"gs://{call.bucket}/{call.prefix}")


def _fetch(call: Download) -> str:
    source = f"gs://{call.bucket}/{call.prefix}"
    if call.all:
        return shell.words("gcloud", "storage", "rsync", "--recursive", "--checksums-only", source, str(call.directory))
    [name] = call.names
    return shell.words("gcloud", "storage", "cp", f"{source}{name}", str(call.directory / name))


def _removal(call: Remove) -> str:
    """Delete with `rm`, which reads wildcards and generations (`#1`) in names and cannot quote them."""
    uris = [call.directory] if call.directory else [each.uri for each in call.objects]
    for uri in uris:
        if re.search(r"[*?\[\]#]", uri):
            text = _("gcloud reads the name as a pattern or a generation: {uri}", uri=uri)
            raise OptionError(text, where="--show", fix=_("use one of {names}", names="--show curl, --show python"))
    if call.directory:  # not `--recursive`, which deletes also noncurrent versions of the objects, and the bucket
        return shell.words("gcloud", "storage", "rm", f"{call.directory}**")
    return shell.words("gcloud", "storage", "rm", *uris)


def _request(request: Request, target: Target, waited: bool) -> list[str]:
    address, method = Address.of(request.path), request.method
    body: Mapping[str, Any] = json.loads(request.body) if isinstance(request.body, bytes) else request.body or {}
    if "/operations" in request.path:
        if address.collection:
            return [_operation("list", "", target)]
        return [_operation("cancel" if address.verb == "cancel" else "describe", address.operation, target)]
    if address.verb == "predict":
        return _predict(address, body, target)
    if method == "POST" and address.collection:
        return _create_version(address, body, target, waited) if address.model else _create_model(body, target)
    group, name = (
        ("versions", address.version) if address.version or "/versions" in request.path else ("models", address.model)
    )
    action = {"GET": "list" if address.collection else "describe", "DELETE": "delete", "POST": "set-default"}.get(
        method
    )
    of_model = [f"--model={address.model}"] if group == "versions" else []
    if action is None:
        return _update(group, name, of_model, request, body, target)
    quiet = ["--quiet"] if method == "DELETE" else []
    return [
        _line(group, action, *([name] if name and not address.collection else []), *of_model, *quiet, target=target)
    ]


def _wait(operation: str, target: Target) -> list[str]:
    return [_operation("wait", operation.rpartition("/")[2], target)]


# By the name of the API: the writers of a request, and of the wait for a named operation.
_APIS = {
    "ml": (_request, _wait),
    "aiplatform": (vertex_gcloud.request_lines, vertex_gcloud.wait_lines),
}


def _line(*parts: str, target: Target, beta: bool = False, region: str | None = None) -> str:
    where = f"--region={target.region or 'global'}" if region is None else region
    track = ("gcloud", "beta") if beta else ("gcloud",)
    return shell.words(*track, "ai-platform", *parts, f"--project={target.project}", *([where] if where else []))


def _operation(action: str, name: str, target: Target) -> str:
    # These commands do not accept `--region=global`; without a region they use the global endpoint.
    region = f"--region={target.region}" if target.region else ""
    return _line("operations", action, *([name] if name else []), target=target, region=region)


def _create_model(body: Mapping[str, Any], target: Target) -> list[str]:
    console = bool(body.get("onlinePredictionConsoleLogging"))
    flags = [
        *(["--enable-logging"] if body.get("onlinePredictionLogging") else []),
        *(["--enable-console-logging"] if console else []),
        *([f"--description={body['description']}"] if body.get("description") else []),
        *([f"--labels={_pairs(body['labels'])}"] if body.get("labels") else []),
    ]
    # `--regions` implies the global endpoint and replaces `--region`.
    regions = None if target.region else f"--regions={shell.comma_list(body.get('regions') or ['us-central1'])}"
    return [_line("models", "create", str(body["name"]), *flags, target=target, beta=console, region=regions)]


def _create_version(address: Address, body: Mapping[str, Any], target: Target, waited: bool) -> list[str]:
    flags = [f"{flag}={body[name]}" for name, flag in _FLAGS.items() if body.get(name)]
    if body.get("framework"):
        flags.append(f"--framework={str(body['framework']).lower().replace('_', '-')}")
    if body.get("labels"):
        flags.append(f"--labels={_pairs(body['labels'])}")
    if accelerator := body.get("acceleratorConfig"):
        kind = str(accelerator["type"]).lower().replace("_", "-")
        flags.append(f"--accelerator=type={kind},count={accelerator.get('count', 1)}")
    flags += _explanation(body.get("explanationConfig") or {})
    in_file = {name: body[name] for name in (*_IN_FILE, *_IN_BETA_FILE) if name in body}
    beta = any(name in body for name in (*_IN_BETA_FILE, "explanationConfig"))
    parts = [
        "versions",
        "create",
        str(body["name"]),
        f"--model={address.model}",
        *flags,
        *([] if waited else ["--async"]),
    ]
    found = _unsendable(set(body) & {"requestLoggingConfig"})
    return [*found, *_with_file(parts, in_file, target, beta)]


def _explanation(config: Mapping[str, Any]) -> list[str]:
    for name, (method, flag, field) in _METHODS.items():
        if name in config:
            steps = config[name].get(field)
            return [f"--explanation-method={method}", *([f"{flag}={steps}"] if steps else [])]
    return []


def _update(
    group: str, name: str, of_model: list[str], request: Request, body: Mapping[str, Any], target: Target
) -> list[str]:
    mask = request.params.get("updateMask", "").split(",")
    flags = [f"--description={body.get('description', '')}"] if "description" in mask else []
    if "labels" in mask:  # the whole map is replaced
        flags.append("--clear-labels")
        flags += [f"--update-labels={_pairs(body['labels'])}"] if body.get("labels") else []
    of_file = ("autoScaling", "manualScaling", "requestLoggingConfig")
    in_file = {field: body[field] for field in of_file if field in body}
    return _with_file([group, "update", name, *of_model, *flags], in_file, target, False)


def _with_file(parts: Sequence[str], in_file: Mapping[str, Any], target: Target, beta: bool) -> list[str]:
    if not in_file:
        return [_line(*parts, target=target, beta=beta)]
    head = _line(*parts, "--config=/dev/stdin", target=target, beta=beta)
    return [f"{head} <<'EOF'", *shell.heredoc(shell.one_line(in_file))]


def _predict(address: Address, body: Mapping[str, Any], target: Target) -> list[str]:
    version = [f"--version={address.version}"] if address.version else []
    signature = [f"--signature-name={body['signature_name']}"] if body.get("signature_name") else []
    line = _line("predict", f"--model={address.model}", *version, *signature, "--json-request=-", target=target)
    content = shell.one_line({"instances": body.get("instances")})
    return [*_unsendable(set(body) - {"instances", "signature_name"}), f"{line} <<'EOF'", *shell.heredoc(content)]


def _unsendable(names: set[str]) -> list[str]:
    if not names:
        return []
    return [f"# {_('gcloud cannot send: {names}', names=', '.join(sorted(names)))}"]


def _pairs(values: Mapping[str, str]) -> str:
    return shell.comma_list([f"{key}={value}" for key, value in values.items()])
