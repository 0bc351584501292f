"""Calls of Vertex AI's API as values (aiplatform v1, discovery document of revision 20261106)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aip_magics.client.calls import MAX_LARGE_RESPONSE_BYTES, Request
from aip_magics.client.vertex.ids import endpoint_id
from aip_magics.client.vertex.place import Place

MAX_PAGE_SIZE = 100
NEW = "0"  # in a traffic split: the model that is being deployed
ALL = 100


def get(name: str) -> Request:
    """A model, endpoint or operation by its full name."""
    return Request("GET", f"v1/{name}")


def delete(name: str) -> Request:
    """Delete a model with all its versions, or an endpoint; the response is an Operation."""
    return Request("DELETE", f"v1/{name}")


def list_page(path: str, page_token: str = "", page_size: int = MAX_PAGE_SIZE) -> Request:
    """One page of `models`, `endpoints`, `operations` … below a parent, or of the versions of a model."""
    params = {"pageSize": str(min(page_size, MAX_PAGE_SIZE)), **({"pageToken": page_token} if page_token else {})}
    return Request("GET", f"v1/{path}", params=params)


def list_versions(model: str, page_token: str = "") -> Request:
    """The versions of a model of this full name."""
    return list_page(f"{model}:listVersions", page_token)


def upload(place: Place, model: str, body: Mapping[str, Any], *, exists: bool) -> Request:
    """Upload a new model, or the next version of one that exists; the response is an Operation."""
    parent = {"parentModel": place.model(model)} if exists else {"modelId": place.model_id(model)}
    return Request("POST", f"v1/{place.parent}/models:upload", {**parent, "model": dict(body)})


def patch(name: str, fields: Mapping[str, Any], mask: Sequence[str]) -> Request:
    """Update a model, a version or an endpoint; the response is the resource."""
    return Request("PATCH", f"v1/{name}", dict(fields), {"updateMask": ",".join(mask)})


def delete_version(version: str) -> Request:
    return Request("DELETE", f"v1/{version}:deleteVersion")


def merge_aliases(version: str, aliases: Sequence[str]) -> Request:
    """Move aliases to a version of this full name."""
    return Request("POST", f"v1/{version}:mergeVersionAliases", {"versionAliases": list(aliases)})


def create_endpoint(place: Place, model: str, body: Mapping[str, Any]) -> Request:
    """Create the endpoint of a model; the response is an Operation."""
    path = f"v1/{place.parent}/endpoints"
    return Request("POST", path, dict(body), {"endpointId": endpoint_id(place.model_id(model))})


def deploy(endpoint: str, deployed_model: Mapping[str, Any], split: Mapping[str, int]) -> Request:
    """Deploy a model; without a split the traffic stays as it is. The response is an Operation."""
    body = {"deployedModel": dict(deployed_model), **({"trafficSplit": dict(split)} if split else {})}
    return Request("POST", f"v1/{endpoint}:deployModel", body)


def undeploy(endpoint: str, deployed_model_id: str, split: Mapping[str, int]) -> Request:
    """Undeploy a model; without a split the traffic stays as it is. The response is an Operation."""
    body = {"deployedModelId": deployed_model_id, **({"trafficSplit": dict(split)} if split else {})}
    return Request("POST", f"v1/{endpoint}:undeployModel", body)


def mutate(endpoint: str, deployed_model: Mapping[str, Any], mask: Sequence[str]) -> Request:
    """Change the replicas or the logging of a deployed model; the response is an Operation."""
    body = {"deployedModel": dict(deployed_model), "updateMask": ",".join(mask)}
    return Request("POST", f"v1/{endpoint}:mutateDeployedModel", body)


def set_split(endpoint: str, split: Mapping[str, int]) -> Request:
    return patch(endpoint, {"trafficSplit": dict(split)}, ["trafficSplit"])


def predict(endpoint: str, body: bytes, deployed_model_id: str = "") -> Request:
    """Online prediction; the body is sent unchanged.

    By one deployed model, whether or not it gets traffic, only on the embedded server: its extension.
    """
    name = f"{endpoint}/deployedModels/{deployed_model_id}" if deployed_model_id else endpoint
    return Request("POST", f"v1/{name}:predict", body, max_bytes=MAX_LARGE_RESPONSE_BYTES)


def cancel(operation: str) -> Request:
    return Request("POST", f"v1/{operation}:cancel", {})


def push_image(body: Mapping[str, Any]) -> Request:
    """Tell the embedded server what is in an image, which it then serves without a container: its extension."""
    return Request("PUT", "aip-magics/images", dict(body))
