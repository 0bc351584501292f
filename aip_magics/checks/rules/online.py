"""Online rules, which query the service once the target is connected.

They have their own registry (`ONLINE_RULES`), since they need a `ServiceView`. If the service does not answer a query
(no permission, an endpoint that lacks the call), the outcome of the rule is Skipped with the reason.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from aip_magics import catalog
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Finding, Outcome, Outcomes, Skipped
from aip_magics.checks.rule import RULES, Rule, advice, build_outcome, documentation, error, over_limit, warning
from aip_magics.errors import AipError
from aip_magics.i18n import gettext as _
from aip_magics.spec import Model, Version

_NEARLY_USED = 0.9  # share of a quota
_OPEN_TO_ALL = frozenset({"allUsers", "allAuthenticatedUsers"})
_IMMUTABLE = ("regions", "onlinePredictionLogging", "onlinePredictionConsoleLogging")
_UPDATE_OPTIONS = {"description": "--description …", "labels": "--update-labels …"}
_AGENT = re.compile(r"service-(\d+)@")


@dataclasses.dataclass(frozen=True)
class BucketView:
    """Metadata of a bucket.

    Attributes:
        name: Name of the bucket.
        location: Location in lower case (`us-central1`, `eu`); empty if the metadata may not be read.
        project_number: Number of the project that owns the bucket; empty if the metadata may not be read.
        regions: The regions of a configurable dual-region.
    """

    name: str
    location: str
    project_number: str
    regions: tuple[str, ...] = ()


class ServiceView(Protocol):
    """The queries of online rules. Each is made when a rule needs it, and may raise an AipError."""

    def model(self) -> Model | None:
        """Return the model of the deployment as it exists on the endpoint; None if it does not exist."""

    def versions(self) -> Sequence[Version]:
        """Return the versions of that model."""

    def model_count(self) -> int:
        """Return the number of models that the project has on the endpoint."""

    def running(self) -> int:
        """Return the number of running operations that create or delete a version."""

    def permissions(self, wanted: Collection[str]) -> frozenset[str]:
        """Return those of the `wanted` permissions that the caller has on the model."""

    def service_agent(self) -> str:
        """Return the e-mail address of the account with which the service reads buckets."""

    def bucket(self) -> BucketView | None:
        """Return the bucket of deploymentUri; None if it does not exist yet."""

    def bucket_readers(self) -> frozenset[str]:
        """Return the members of the bucket's policy that may read its objects (`serviceAccount:…`, `allUsers`)."""


OnlineCheck = Callable[[CheckContext, ServiceView], Outcomes]


@dataclasses.dataclass(frozen=True)
class OnlineRule:
    """A registered online rule; its fields are those of `Rule`."""

    id: str
    name: str
    title: str
    text: str
    link: str
    check: OnlineCheck
    target: str | None = None

    def apply(self, context: CheckContext, service: ServiceView) -> Outcome:
        """Run the rule; Skipped if the service does not answer."""
        if self.id in context.target.unused_rules:
            return Skipped(context.target.unused_rules[self.id])
        try:
            return build_outcome(self.check(context, service), self.id, self.name, self.link)
        except AipError as error:
            return Skipped(_("could not query the service: {reason}", reason=error.message))


ONLINE_RULES: dict[str, OnlineRule] = {}


def online_rule(id: str, name: str, *, link: str, target: str | None = None) -> Callable[[OnlineCheck], OnlineCheck]:
    """Register a function as the online rule with this id and name; `link` and `target` are those of `rule`."""

    def register(check: OnlineCheck) -> OnlineCheck:
        rules: list[Rule | OnlineRule] = [*RULES.values(), *ONLINE_RULES.values()]
        if any(id == rule.id or name == rule.name for rule in rules):
            raise ValueError(f"two rules have the id {id} or the name {name}")
        ONLINE_RULES[id] = OnlineRule(id, name, *documentation(check, id), link, check, target)
        return check

    return register


@online_rule("M01", "existing-model-differs", link=links.MODEL_EXISTS)
def existing_model_differs(context: CheckContext, service: ServiceView) -> Outcomes:
    """An existing model of this name is used unchanged, including its description and labels.

    An update of the model can change these two, but not its region or its logging.
    """
    existing, requested = service.model(), context.model
    if existing is None:
        return []
    found = []
    for field in (*_IMMUTABLE, *_UPDATE_OPTIONS):
        wanted, current = getattr(requested, field), getattr(existing, field)
        if wanted is None or (wanted or None) == (current or None):
            continue
        values = {"name": existing.id, "field": field, "value": _shown(current)}
        if field in _IMMUTABLE:
            text = _("model {name} already exists with {field} {value}, which cannot be changed", **values)
            fix = _("omit {field}, or use another model", field=field)
        else:
            text = _("model {name} already exists with {field} {value}, which a deploy does not change", **values)
            fix = f"%aip_update --model {existing.id} {_UPDATE_OPTIONS[field]}"
        found.append(warning(f"model.{field}", text, fix))
    return found


@online_rule("S24", "version-exists", link=links.MODEL_EXISTS)
def version_exists(context: CheckContext, service: ServiceView) -> Outcomes:
    """The version must not exist yet; a version that is being deleted or updated must be waited for."""
    name = context.version.id
    existing = next((version for version in service.versions() if version.id == name), None)
    if existing is None:
        return []
    if existing.state in ("DELETING", "UPDATING"):
        text = _("version {name} is currently {state}", name=name, state=existing.state)
        return [error("version.name", text, _("wait until the operation is done, or use another name"))]
    text = _(
        "version {name} already exists; a deploy keeps an identical version and stops if the version differs", name=name
    )
    return [advice("version.name", text, _("use --replace to recreate it, or omit the name to use the next free one"))]


@online_rule("S25", "quota-exceeded", link=links.QUOTAS)
def quota_exceeded(context: CheckContext, service: ServiceView) -> Outcomes:
    """The project must have quota for one more model, version and operation: 100, 200 and 10 concurrent ones.

    Only the versions of this model are counted: counting all would take one call per model. The embedded server
    enforces the number of versions only for a requested machine type.
    """
    limits = catalog.limits()
    versions = _("delete unused versions; %aip_list shows all versions")
    models = _("delete unused models; %aip_list shows all models")
    found = [_quota(context, "model.versions", len(service.versions()), limits.versions_per_project, versions)]
    if context.target.is_cloud:  # the embedded server refuses operations without a wait: a query saves no time
        wait = _("wait until an operation is done")
        found.append(_quota(context, "operations", service.running(), limits.concurrent_operations, wait))
    if service.model() is None:
        found.append(_quota(context, "models", service.model_count(), limits.models_per_project, models))
    return [finding for finding in found if finding]


@online_rule("R14", "missing-permission", link=links.DENIED)
def missing_permission(context: CheckContext, service: ServiceView) -> Outcomes:
    """The caller must have the permission to create versions, and to predict if there is a test request."""
    if not context.target.is_cloud:
        return []  # the embedded server has one user, who has all permissions
    if service.model() is None:
        return Skipped(_("permissions are checked on a model, and no model of this name exists yet"))
    wanted = {"ml.versions.create"} | ({"ml.versions.predict"} if context.test_request is not None else set())
    missing = sorted(wanted - service.permissions(wanted))
    if not missing:
        return []
    text = _("missing permission on the model: {names}", names=", ".join(missing))
    fix = _("ask a project administrator for {role} on the project or the model", role="roles/ml.developer")
    return [error("model", text, fix)]


@online_rule("S07", "unreadable-bucket", link=links.NOT_READABLE)
def unreadable_bucket(context: CheckContext, service: ServiceView) -> Outcomes:
    """The service's own account must be able to read the bucket: one of the same project, or by a grant.

    Only a warning: the bucket's policy does not show a grant on the whole project of the bucket.
    """
    from aip_magics.storage import grant_command  # imports urllib3, which only online rules need

    if not context.target.is_cloud:
        return []  # the embedded server can read all of its own buckets
    bucket = service.bucket()
    if bucket is None:
        return Skipped(_("the bucket does not exist yet; it will be created in this project"))
    agent = service.service_agent()
    number = _AGENT.match(agent)
    if number and number[1] == bucket.project_number:
        return []
    readers = service.bucket_readers()
    if f"serviceAccount:{agent}" in readers or readers & _OPEN_TO_ALL:
        return []
    text = _(
        "bucket gs://{name} belongs to another project and does not grant {agent} read access",
        name=bucket.name,
        agent=agent,
    )
    return [warning("version.deploymentUri", text, grant_command(bucket.name, agent))]


@online_rule("O01", "bucket-in-other-region", link=links.REGIONAL)
def bucket_in_other_region(context: CheckContext, service: ServiceView) -> Outcomes:
    """The bucket should be in the model's region, or in a multi-region that contains it: else loading takes longer."""
    from aip_magics.storage import Bucket

    regions = context.model.regions
    if not context.target.is_cloud or not regions:
        return []
    bucket = service.bucket()
    if bucket is None or Bucket(bucket.name, bucket.location, bucket.regions).is_in(regions[0]):
        return []
    text = _(
        "bucket gs://{name} is in {there}, the model in {here}",
        name=bucket.name,
        there=bucket.location,
        here=regions[0],
    )
    fix = _("use a bucket in the model's region: --staging-bucket gs://BUCKET")
    return [advice("version.deploymentUri", text, fix)]


def _quota(context: CheckContext, subject: str, count: int, most: int, fix: str) -> Finding | None:
    if count < _NEARLY_USED * most:
        return None
    text = _("{count} in use; the maximum is {most}", count=count, most=most)
    return over_limit(context, subject, text, fix, "error" if count >= most else "warning")


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if isinstance(value, Mapping):
        return ",".join(f"{key}={item}" for key, item in value.items())
    return _("not set") if value is None else str(value)
