"""projects.models IAM policies: stored and returned, but not enforced, as the server has a single user.

Jobs have no policies, since there are no jobs.
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

NO_POLICY = "ACAB"  # the etag of a policy that was never set, in all Google services
VERSIONS = (0, 1, 3)

# The permissions of a model's owner.
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
    __test__ = False  # pytest would collect a class of this name

    permissions: tuple[str, ...] | None = None


async def get(request: Request) -> dict[str, Any]:
    """models.getIamPolicy"""
    version = request.query_params.get("options.requestedPolicyVersion") or "0"
    if version not in map(str, VERSIONS):
        raise violation(InvalidArgument, "options.requested_policy_version", "Expected one of 0, 1, 3.")
    row = models.require_model(get_context(request).database, model_key(request))
    return _serialize(_parse_policy(row.policy))


async def set_(request: Request) -> dict[str, Any]:
    """models.setIamPolicy"""
    body = await request_parsing.parse_resource(request, SetIamPolicyRequest)
    if body.policy is None:
        raise violation(InvalidArgument, "policy", "A policy is required.")
    updatable = ("bindings", "etag", "auditConfigs", "version")
    paths = field_masks.parse(body.updateMask or "bindings,etag", updatable)
    database = get_context(request).database
    row = models.require_model(database, model_key(request))
    current = _parse_policy(row.policy)
    etags.check_etag("policy.etag", body.policy.etag, _serialize(current)["etag"])
    # The version always follows the bindings, regardless of the mask: bindings with conditions need version 3.
    paths = tuple({*paths, "version"} - {"etag"})
    changed = field_masks.apply(current, body.policy.replace(etag=None), paths)
    _check_policy(changed)
    database.set_policy(row.key, json.dumps(changed.to_json(), ensure_ascii=False))
    return _serialize(changed)


async def test(request: Request) -> dict[str, Any]:
    """models.testIamPermissions: the owner's permissions; none, instead of 404, on a model that does not exist."""
    permissions = await _permissions(request)
    if get_context(request).database.get_model(model_key(request)) is None:
        return {}
    granted = [name for name in permissions if name in PERMISSIONS]
    return {"permissions": granted} if granted else {}


async def test_job(request: Request) -> dict[str, Any]:
    """jobs.testIamPermissions: no permissions, since there are no jobs."""
    await _permissions(request)
    return {}


async def _permissions(request: Request) -> tuple[str, ...]:
    permissions = (await request_parsing.parse_resource(request, TestIamPermissionsRequest)).permissions or ()
    for name in permissions:
        if not _PERMISSION.fullmatch(name):
            raise violation(InvalidArgument, "permissions", f"Permission {name[:200]!r} is not valid.")
    return tuple(dict.fromkeys(permissions))


def _parse_policy(policy: str | None) -> Policy:
    return Policy.from_json(json.loads(policy), strict=False) if policy else Policy()


def _serialize(policy: Policy) -> dict[str, Any]:
    data = policy.to_json()
    return {**data, "etag": google_json.etag(["policy", data]) if data else NO_POLICY}


def _check_policy(policy: Policy) -> None:
    if policy.version not in (None, *VERSIONS):
        raise violation(InvalidArgument, "policy.version", "Expected one of 0, 1, 3.")
    for number, binding in enumerate(policy.bindings or ()):
        where = f"policy.bindings[{number}]"
        if not _ROLE.fullmatch(binding.role or ""):
            role = (binding.role or "")[:200]
            text = f"Invalid role {role!r}: expected roles/NAME or projects/PROJECT/roles/NAME."
            raise violation(InvalidArgument, f"{where}.role", text)
        for member in binding.members or ():
            if not _MEMBER.fullmatch(member):
                text = f"Invalid member {member[:200]!r}: expected user:EMAIL, serviceAccount:EMAIL, group:EMAIL …"
                raise violation(InvalidArgument, f"{where}.members", text)
        if binding.condition and policy.version != 3:
            raise violation(InvalidArgument, "policy.version", "A policy with conditions must have version 3.")
