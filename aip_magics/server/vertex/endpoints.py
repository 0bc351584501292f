"""projects.locations.endpoints: create, get, list, patch, delete."""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import Request

from aip_magics import catalog
from aip_magics.errors import FailedPrecondition, NotFound
from aip_magics.server.context import AppContext, get_context
from aip_magics.server.conventions import etags, field_masks, google_json, validation
from aip_magics.server.conventions.request_parsing import query_parameter
from aip_magics.server.names import ModelKey
from aip_magics.server.state.endpoints_table import EndpointRow
from aip_magics.server.state.operations_table import OperationRow
from aip_magics.server.vertex import listing, model_rules, names, operations, traffic
from aip_magics.server.vertex.bodies import parse_body
from aip_magics.server.vertex.endpoint_resources import Endpoint, PredictRequestResponseLoggingConfig
from aip_magics.server.vertex.error_texts import field_error, refuse_unsupported, unimplemented
from aip_magics.server.vertex.resources import API
from aip_magics.spec import RequestLoggingConfig

PATCHABLE = ("displayName", "description", "labels", "trafficSplit")
MAX_TIMEOUT_SECONDS = 3600
_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?|[1-9][0-9]{0,8}")
_BIGQUERY = re.compile(r"bq://[^./\s]+(\.[^./\s]+){0,2}")
_RUNNING = "There are other operations running on the Endpoint"


async def create(request: Request) -> dict[str, Any]:
    """endpoints.create: the returned Operation is done."""
    context, parent = get_context(request), names.parent_of(request)
    requested = await parse_body(request, Endpoint, "endpoint")
    requested_id = query_parameter(request, "endpointId")
    if requested_id and not _ID.fullmatch(requested_id):
        text = "An ID has at most 63 lower-case letters, digits and hyphens and begins with a letter, or has 9 digits."
        raise field_error("endpoint_id", text)
    _check(requested)
    traffic.check_ids(traffic.parse(requested.trafficSplit), ())
    document = {
        **requested.replace(name=None, etag=None).to_json(),
        "deployedModels": [],
        "trafficSplit": {},
        "createTime": operations.timestamp(context.clock()),
    }
    row = touched(context, EndpointRow(parent.child(requested_id or names.new_id()), document))
    shown = {"@type": f"{API}Endpoint", "name": names.endpoint_name(row.key)}
    operation = _done(context, row.key, "CreateEndpointOperationMetadata", shown)
    with context.database.transaction():
        context.database.endpoints.insert(row)
        context.database.insert_operation(operation)
    return operations.serialize(context, operation)


async def get(request: Request) -> dict[str, Any]:
    """endpoints.get"""
    return serialize(require_endpoint(get_context(request), endpoint_key(request)))


async def list_(request: Request) -> dict[str, Any]:
    """endpoints.list"""
    parent = names.parent_of(request)
    rows = get_context(request).database.endpoints.list_in(parent.location, parent.project)
    return listing.list_resources(
        request,
        "endpoints",
        [serialize(row) for row in rows],
        lambda one: str(one["name"].rpartition("/")[2]),
        "endpoint",
    )


async def patch(request: Request) -> dict[str, Any]:
    """endpoints.patch: the answer is the Endpoint."""
    context = get_context(request)
    requested = await parse_body(request, Endpoint, "endpoint")
    paths = field_masks.from_request(request, PATCHABLE)
    # No await from here on: the row must not change between read and update.
    row = require_endpoint(context, endpoint_key(request))
    etags.check_etag("endpoint.etag", requested.etag, serialize(row)["etag"])
    changed = dict(row.document)
    for path in paths:
        if path == "trafficSplit":
            split = traffic.parse(requested.trafficSplit)
            traffic.check_ids(split, deployed_ids(row))
            changed[path] = split
        elif value := getattr(requested, path):
            changed[path] = value
        else:
            changed.pop(path, None)
    _check(Endpoint.from_json(changed, strict=False))
    row = touched(context, EndpointRow(row.key, changed))
    context.database.endpoints.update(row)
    return serialize(row)


async def delete(request: Request) -> dict[str, Any]:
    """endpoints.delete: only an endpoint without deployed models; the returned Operation is done."""
    context, key = get_context(request), endpoint_key(request)
    row = require_endpoint(context, key)
    check_not_busy(context, key)
    if ids := deployed_ids(row):
        text = f"Endpoint {names.endpoint_name(key)} has deployed models, which must be undeployed first: "
        raise FailedPrecondition(text + ", ".join(ids))
    operation = _done(context, key, "DeleteOperationMetadata", google_json.EMPTY)
    with context.database.transaction():
        context.database.endpoints.delete(key)
        context.database.insert_operation(operation)
    return operations.serialize(context, operation)


async def explain(request: Request) -> dict[str, Any]:
    """endpoints.explain: refused, since no model here can have an explanationSpec."""
    require_endpoint(get_context(request), endpoint_key(request))
    await google_json.read_body(request, catalog.vertex_limits().payload_bytes_dedicated)  # so that the answer is read
    text = "The embedded server does not offer explanations: no model can be deployed with an explanation_spec."
    raise unimplemented(text)


def endpoint_key(request: Request) -> ModelKey:
    """Return the key of the endpoint in the request's path."""
    return names.parent_of(request).child(request.path_params["endpoint"])


def require_endpoint(context: AppContext, key: ModelKey) -> EndpointRow:
    """Return the endpoint; NotFound when it does not exist."""
    row = context.database.endpoints.get(key)
    if row is None:
        raise NotFound(f"Endpoint `{names.endpoint_name(key)}` not found.")
    return row


def check_not_busy(context: AppContext, key: ModelKey) -> None:
    """Raise FailedPrecondition while a model is being deployed to the endpoint."""
    rows = context.database.list_running_operations()
    running = [str(row.operation.name) for row in rows if ModelKey(row.location, row.project, row.model) == key]
    if running:
        text = f'{_RUNNING} "{names.endpoint_name(key)}". Operation(s) are: {", ".join(running)}.'
        raise FailedPrecondition(text)


def deployed_ids(row: EndpointRow) -> list[str]:
    """Return the ids of the endpoint's deployed models."""
    return [str(model["id"]) for model in row.document["deployedModels"]]


def touched(context: AppContext, row: EndpointRow) -> EndpointRow:
    """Return the endpoint with a new time of its last update."""
    return EndpointRow(row.key, {**row.document, "updateTime": operations.timestamp(context.clock())})


def request_logging(row: EndpointRow) -> RequestLoggingConfig | None:
    """Return which of the endpoint's requests are written down, in AI Platform's terms."""
    config = row.document.get("predictRequestResponseLoggingConfig") or {}
    if not config.get("enabled"):
        return None
    uri = config.get("bigqueryDestination", {}).get("outputUri") or ""
    parts = list(filter(None, uri.removeprefix("bq://").split(".")))
    default = [row.key.project, f"logging_{row.key.model}", "request_response_logging"]  # as in the service
    return RequestLoggingConfig(".".join(parts + default[len(parts) :]), float(config.get("samplingRate", 1.0)))


def serialize(row: EndpointRow) -> dict[str, Any]:
    """Build the Endpoint's JSON, without fields that are empty."""
    filled = {name: value for name, value in row.document.items() if value not in ([], {}, "", False)}
    shown = {"name": names.endpoint_name(row.key), **filled}
    return {**shown, "etag": google_json.etag([shown])}


def _done(context: AppContext, key: ModelKey, metadata: str, response: Any) -> OperationRow:
    return operations.build_done_operation(context, key, f"endpoints/{key.model}", metadata, response)


def _check(requested: Endpoint) -> None:
    """Raise InvalidArgument or FailedPrecondition for the first broken rule of an endpoint."""
    model_rules.check_display_name("endpoint.display_name", requested.displayName)
    validation.validate_labels(requested.labels)
    refuse_unsupported(
        {
            "private endpoints": requested.network
            or requested.enablePrivateServiceConnect
            or requested.privateServiceConnectConfig,
            "keys of your own": requested.encryptionSpec,
            "Distributed Cloud": requested.gdcConfig,
            "generative AI": requested.genAiAdvancedFeaturesConfig,
        }
    )
    _check_request_logging(requested.predictRequestResponseLoggingConfig)
    timeout = requested.clientConnectionConfig and requested.clientConnectionConfig.inferenceTimeout
    if timeout:
        seconds = google_json.parse_duration(timeout)
        if seconds is None or not 0 < seconds <= MAX_TIMEOUT_SECONDS:
            text = f"Expected seconds such as 600s, at most {MAX_TIMEOUT_SECONDS}s, got {timeout[:100]!r}."
            raise field_error("endpoint.client_connection_config.inference_timeout", text)


def _check_request_logging(config: PredictRequestResponseLoggingConfig | None) -> None:
    where = "endpoint.predict_request_response_logging_config"
    if config is None or not config.enabled:
        return
    if not 0 < (config.samplingRate or 0) <= 1:
        raise field_error(f"{where}.sampling_rate", "A fraction above 0, at most 1, is required.")
    uri = config.bigqueryDestination.outputUri if config.bigqueryDestination else None
    if uri and not _BIGQUERY.fullmatch(uri):
        text = f"Expected bq://PROJECT.DATASET.TABLE or a part of it, got {uri[:200]!r}."
        raise field_error(f"{where}.bigquery_destination.output_uri", text)
