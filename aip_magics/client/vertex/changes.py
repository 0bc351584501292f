"""The requests that change an existing model, made from its state: those that a command sends, and that it previews."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aip_magics.client.calls import Request, Wait
from aip_magics.client.vertex import bodies, calls, views
from aip_magics.client.vertex.ids import DEFAULT_ALIAS
from aip_magics.client.vertex.state import ModelState
from aip_magics.client.vertex.views import Json
from aip_magics.errors import FailedPrecondition
from aip_magics.i18n import gettext as _

Requests = list[Request | Wait]


def set_traffic(state: ModelState, split: Mapping[str, int]) -> Requests:
    """Divide the requests among deployed versions, percent by name; the one that gets all becomes the default one."""
    place, model_id = state.place, state.model_id
    versions = {name: state.require(place.version_ids(model_id, name)[1]) for name in split}
    wanted = {str(state.require_deployment(one)["id"]): split[name] for name, one in versions.items()}
    wanted = {id_: percent for id_, percent in wanted.items() if percent}
    requests: Requests = []
    if wanted != {id_: percent for id_, percent in views.traffic_split(state.endpoint).items() if percent}:
        requests.append(calls.set_split(place.endpoint(model_id), wanted))
    requests += [
        make_default(state, one)
        for name, one in versions.items()
        if split[name] == calls.ALL and not views.is_default(one)
    ]
    return requests


def make_default(state: ModelState, version: Json) -> Request:
    """Give a version the alias `default`."""
    return calls.merge_aliases(state.place.version(state.model_id, views.version_number(version)), [DEFAULT_ALIAS])


def delete_version(state: ModelState, name: str) -> Requests:
    """Undeploy and delete a version; the only one with its Vertex Model, while the endpoint is kept.

    FailedPrecondition if others exist and it is the default one, or gets all requests.
    """
    found = state.require(name)
    state.require_not_creating(found)
    if len(state.versions) > 1 and views.is_default(found):
        text = _("{version} is the default version of model {model}, which is deleted last", **_names(state, found))
        raise _refused(state, found, text)
    requests: Requests = [*undeploy(state, name), Wait()] if state.deployment(found) else []
    if len(state.versions) == 1:
        return [*requests, calls.delete(state.place.model(state.model_id))]
    return [*requests, calls.delete_version(state.place.version(state.model_id, views.version_number(found)))]


def undeploy(state: ModelState, name: str) -> Requests:
    """Undeploy a version; its part of the requests goes to the other one that gets most.

    FailedPrecondition if others are deployed and it gets all requests.
    """
    version = state.require(name)
    id_ = str(state.require_deployment(version, fix=f"%aip_list --model {state.model_id}")["id"])
    split = {other: percent for other, percent in views.traffic_split(state.endpoint).items() if percent}
    share = split.pop(id_, 0)
    others = [one for one in views.deployments(state.endpoint, state.model_id) if str(one["id"]) != id_]
    if share and others:
        if not split:
            text = _("{version} gets all requests to model {model}", **_names(state, version))
            raise _refused(state, version, text)
        most = str(others[0]["id"])
        split[most] = split.get(most, 0) + share
    return [calls.undeploy(state.place.endpoint(state.model_id), id_, split if share and others else {})]


def delete_all(state: ModelState) -> Requests:
    """Undeploy and delete all versions, one after the other, the default one last."""
    requests: Requests = []
    for version in sorted(state.versions, key=views.is_default):
        requests += [*delete_version(state, views.version_number(version)), Wait()]
        state = state.without(version)
    return requests


def delete_model(state: ModelState) -> Requests:
    """Delete the endpoint of a model; FailedPrecondition while the model has versions, as on AI Platform."""
    if state.versions:
        names = ", ".join(views.version_name(one) for one in state.versions)
        raise FailedPrecondition(
            _("model {model} has versions: {versions}", model=state.model_id, versions=names),
            where="--model",
            fix=f"%aip_delete --model {state.model_id} --all-versions --yes",
        )
    return [calls.delete(state.place.endpoint(state.model_id))]


def update_model(state: ModelState, fields: Mapping[str, Any], mask: Sequence[str]) -> Requests:
    """Update description and labels, which both the endpoint and the Vertex Model have."""
    requests: Requests = []
    if state.endpoint is not None:
        requests.append(calls.patch(state.place.endpoint(state.model_id), fields, mask))
    if state.versions:
        changed = dict(fields)
        if "labels" in mask:  # those of its first version are kept: the Vertex Model has both
            before = (state.endpoint or {}).get("labels") or {}
            own = state.versions[0].get("labels") or {}
            kept = {key: value for key, value in own.items() if before.get(key) != value}
            changed["labels"] = {**kept, **(fields.get("labels") or {})}
        requests.append(calls.patch(state.place.model(state.model_id), changed, mask))
    return requests


def update_version(state: ModelState, name: str, fields: Mapping[str, Any], mask: Sequence[str]) -> Requests:
    """Update description, labels and replicas of a version, and the request logging, which is that of the endpoint."""
    found = state.require(name)
    requests: Requests = []
    if changed := {bodies.VERSION_FIELDS[path]: fields.get(path) for path in mask if path in bodies.VERSION_FIELDS}:
        own_name = state.place.version(state.model_id, views.version_number(found))
        requests.append(calls.patch(own_name, changed, list(changed)))
    endpoint = state.place.endpoint(state.model_id)
    if any(path.startswith(bodies.REQUEST_LOGGING) for path in mask):
        logging = bodies.request_logging(fields.get(bodies.REQUEST_LOGGING) or {})
        requests.append(calls.patch(endpoint, logging, list(logging)))
    if any(path.partition(".")[0] in bodies.SCALING_FIELDS for path in mask):
        replicas = bodies.replicas(bodies.rescaled(state.view(found), fields, mask))
        body = {"id": state.require_deployment(found)["id"], "dedicatedResources": replicas}
        paths = [f"dedicatedResources.{path}" for path in bodies.REPLICA_FIELDS]
        requests.append(calls.mutate(endpoint, body, paths))
    return requests


def _names(state: ModelState, version: Json) -> dict[str, str]:
    return {"version": views.version_name(version), "model": state.model_id}


def _refused(state: ModelState, version: Json, text: str) -> FailedPrecondition:
    """The error for a version that cannot go before another one takes its place."""
    other = next((one for one in reversed(state.versions) if one is not version and state.deployment(one)), None)
    name = views.version_name(other) if other else "VERSION"
    return FailedPrecondition(
        text,
        code=400,
        status="FAILED_PRECONDITION",
        where=f"{state.model_id}/{views.version_name(version)}",
        fix=_("run %aip_set_default {version} --model {model} first", version=name, model=state.model_id),
    )
