"""IAM policies of models: stored and given back; nobody is kept out by them, as the server has one user.

Jobs have none, since there are no jobs.
"""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

from starlette.requests import Request

from aip_magics.errors import InvalidArgument
from aip_magics.server.api import models
from aip_magics.server.context import get_context, model_key
from aip_magics.server.conventions import etags, field_masks, google_json, request_parsing
from aip_magics.server.conventions.error_responses import violation
from aip_magics.spec import Resource

NO_POLICY = "ACAB"  # the etag of a policy that was never set, at all Google services
VERSIONS = (0, 1, 3)

# What somebody who may do everything holds on a model.
PERMISSIONS = frozenset(
    [f"ml.models.{verb}" for verb in ("delete", "get", "getIamPolicy", "predict", "setIamPolicy", "update")]
    + [f"ml.versions.{verb}" for verb in ("create", "delete", "get", "list", "predict", "update")]
)
_ROLE = re.compile(r"(roles|(projects|organizations)/[^/\s]+/roles)/[A-Za-z0-9_.]+")
_MEMBER = re.compile(r"allUsers|allAuthenticatedUsers|(deleted:)?[a-zA-Z]+:\S+")
_PERMISSION = re.compile(r"[A-Za-z0-9]+(\.[A-Za-z0-9]+)+")


@dataclasses.dataclass(frozen=True)
class Expr(Resource):
    title: str | None = None
    description: str | None = None
    expression: str | None = None
    location: str | None = None


@dataclasses.dataclass(frozen=True)
class Binding(Resource):
    role: str | None = None
    members: tuple[str, ...] | None = None
    condition: Expr | None = None


@dataclasses.dataclass(frozen=True)
class AuditLogConfig(Resource):
    logType: str | None = None
    exemptedMembers: tuple[str, ...] | None = None


@dataclasses.dataclass(frozen=True)
class AuditConfig(Resource):
    service: str | None = None
    auditLogConfigs: tuple[AuditLogConfig, ...] | None = None


@dataclasses.dataclass(frozen=True)
class Policy(Resource):
    version: int | None = None
    bindings: tuple[Binding, ...] | None = None
    auditConfigs: tuple[AuditConfig, ...] | None = None
    etag: str | None = None


@dataclasses.dataclass(frozen=True)
class SetIamPolicyRequest(Resource):
    policy: Policy | None = None
    updateMask: str | None = None


@dataclasses.dataclass(frozen=True)
class TestIamPermissionsRequest(Resource):
    __test__ = False  # pytest takes a class of this name for a test

    permissions: tuple[str, ...] | None = None


async def get(request: Request) -> dict[str, Any]:
    asked = request.query_params.get("options.requestedPolicyVersion") or "0"
    if asked not in map(str, VERSIONS):
        raise violation(InvalidArgument, "options.requested_policy_version", "One of 0, 1, 3 is wanted.")
    row = models.existing(get_context(request).store, model_key(request))
    return _shown(_stored(row.policy))


async def set_(request: Request) -> dict[str, Any]:
    given = await request_parsing.parse_resource(request, SetIamPolicyRequest)
    if given.policy is None:
        raise violation(InvalidArgument, "policy", "A policy is required.")
    known = ("bindings", "etag", "auditConfigs", "version")
    paths = field_masks.parse(given.updateMask or "bindings,etag", known)
    store = get_context(request).store
    row = models.existing(store, model_key(request))
    current = _stored(row.policy)
    etags.check_etag("policy.etag", given.policy.etag, _shown(current)["etag"])
    # The version belongs to the bindings: with one that has a condition it must be 3, whatever the mask says.
    paths = tuple({*paths, "version"} - {"etag"})
    changed = field_masks.apply(current, given.policy.replace(etag=None), paths)
    _check(changed)
    store.set_policy(row.key, json.dumps(changed.to_json(), ensure_ascii=False))
    return _shown(changed)


async def test(request: Request) -> dict[str, Any]:
    """Which of the permissions the caller has: none on a model that is not there, and no 404."""
    permissions = await _permissions(request)
    if get_context(request).store.model(model_key(request)) is None:
        return {}
    held = [name for name in permissions if name in PERMISSIONS]
    return {"permissions": held} if held else {}


async def test_job(request: Request) -> dict[str, Any]:
    await _permissions(request)
    return {}


async def _permissions(request: Request) -> tuple[str, ...]:
    given = (await request_parsing.parse_resource(request, TestIamPermissionsRequest)).permissions or ()
    for name in given:
        if not _PERMISSION.fullmatch(name):
            raise violation(InvalidArgument, "permissions", f"Permission {name[:200]!r} is not valid.")
    return tuple(dict.fromkeys(given))


def _stored(policy: str | None) -> Policy:
    return Policy.from_json(json.loads(policy), strict=False) if policy else Policy()


def _shown(policy: Policy) -> dict[str, Any]:
    data = policy.to_json()
    return {**data, "etag": google_json.etag(["policy", data]) if data else NO_POLICY}


def _check(policy: Policy) -> None:
    if policy.version not in (None, *VERSIONS):
        raise violation(InvalidArgument, "policy.version", "One of 0, 1, 3 is wanted.")
    for number, binding in enumerate(policy.bindings or ()):
        where = f"policy.bindings[{number}]"
        if not _ROLE.fullmatch(binding.role or ""):
            text = f"Role {(binding.role or '')[:200]!r} is not of the form roles/NAME or projects/PROJECT/roles/NAME."
            raise violation(InvalidArgument, f"{where}.role", text)
        for member in binding.members or ():
            if not _MEMBER.fullmatch(member):
                text = f"Member {member[:200]!r} is not of the form user:EMAIL, serviceAccount:EMAIL, group:EMAIL …"
                raise violation(InvalidArgument, f"{where}.members", text)
        if binding.condition and policy.version != 3:
            raise violation(InvalidArgument, "policy.version", "A policy with conditions must have version 3.")
