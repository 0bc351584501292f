"""Rules that ask the service, run once the target is connected: what the files and the request alone cannot tell.

They are registered apart from the others (`ONLINE_RULES`), since they need a `ServiceView`. A question that the service
does not answer (no permission, an endpoint that lacks the call) makes its rule Skipped with the reason.
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
from aip_magics.checks.rule import RULES, advice, documentation, error, stamped, warning
from aip_magics.errors import AipError
from aip_magics.i18n import gettext as _
from aip_magics.spec import Model, Version

_NEAR = 0.9  # of a quota
_OPEN_TO_ALL = frozenset({"allUsers", "allAuthenticatedUsers"})
_LASTING = ("regions", "onlinePredictionLogging", "onlinePredictionConsoleLogging")
_UPDATED = {"description": "--description …", "labels": "--update-labels …"}
_AGENT = re.compile(r"service-(\d+)@")


@dataclasses.dataclass(frozen=True)
class BucketView:
    """A bucket as its metadata tell: `location` in lower case (`us-central1`, `eu`), the number of its project.

    Both are empty where its metadata may not be read. `regions` are those of a dual-region of the owner's choice.
    """

    name: str
    location: str
    project_number: str
    regions: tuple[str, ...] = ()


class ServiceView(Protocol):
    """What online rules may ask. Each is asked when a rule needs it, and may raise an AipError."""

    def model(self) -> Model | None:
        """The model of the deployment as it is on this endpoint."""

    def versions(self) -> Sequence[Version]:
        """The versions of that model."""

    def model_count(self) -> int:
        """How many models the project has on this endpoint."""

    def running(self) -> int:
        """How many operations that create or delete a version run now."""

    def permissions(self, wanted: Collection[str]) -> frozenset[str]:
        """Those of `wanted` that the caller has on the model."""

    def service_agent(self) -> str:
        """The e-mail address by which the service reads buckets."""

    def bucket(self) -> BucketView | None:
        """The bucket of deploymentUri; None while it is not there."""

    def bucket_readers(self) -> frozenset[str]:
        """The members of the bucket's policy that may read its objects (`serviceAccount:…`, `allUsers`)."""


OnlineCheck = Callable[[CheckContext, ServiceView], Outcomes]


@dataclasses.dataclass(frozen=True)
class OnlineRule:
    """A registered online rule; the fields are those of `Rule`."""

    id: str
    title: str
    text: str
    link: str
    check: OnlineCheck

    def apply(self, context: CheckContext, service: ServiceView) -> Outcome:
        """Run the rule; Skipped where the service refuses to answer."""
        try:
            return stamped(self.check(context, service), self.id, self.link)
        except AipError as refused:
            return Skipped(_("the service does not tell: {reason}", reason=refused.message))


ONLINE_RULES: dict[str, OnlineRule] = {}


def online_rule(id: str, *, link: str) -> Callable[[OnlineCheck], OnlineCheck]:
    """Register a function as the online rule `id`; `link` is its evidence."""

    def register(check: OnlineCheck) -> OnlineCheck:
        if id in RULES or id in ONLINE_RULES:
            raise ValueError(f"two rules have the id {id}")
        ONLINE_RULES[id] = OnlineRule(id, *documentation(check, id), link, check)
        return check

    return register


@online_rule("M01", link=links.MODEL_EXISTS)
def existing_model(context: CheckContext, service: ServiceView) -> Outcomes:
    """A model of this name that is there already is used as it is, description and labels too.

    These two can be changed by an update of the model; its region and its logging cannot.
    """
    there, asked = service.model(), context.model
    if there is None:
        return []
    found = []
    for field in (*_LASTING, *_UPDATED):
        given, has = getattr(asked, field), getattr(there, field)
        if given is None or (given or None) == (has or None):
            continue
        told = {"name": there.id, "field": field, "value": _shown(has)}
        if field in _LASTING:
            text = _("the model {name} exists with {field} {value}, which cannot be changed", **told)
            fix = _("leave {field} out, or name another model", field=field)
        else:
            text = _("the model {name} exists with {field} {value}, which a deploy leaves as it is", **told)
            fix = f"%aip_update --model {there.id} {_UPDATED[field]}"
        found.append(warning(f"model.{field}", text, fix))
    return found


@online_rule("S24", link=links.MODEL_EXISTS)
def version_name_free(context: CheckContext, service: ServiceView) -> Outcomes:
    """No version of this name is there; one that is being deleted or changed has to be waited for."""
    name = context.version.id
    there = next((version for version in service.versions() if version.id == name), None)
    if there is None:
        return []
    if there.state in ("DELETING", "UPDATING"):
        text = _("version {name} is {state} at the moment", name=name, state=there.state)
        return [error("version.name", text, _("wait until it is done, or take another name"))]
    text = _("version {name} exists; a deploy keeps it if it is the same, and stops if it is different", name=name)
    return [advice("version.name", text, _("--replace makes it anew; without a name the next free one is taken"))]


@online_rule("S25", link=links.QUOTAS)
def quotas(context: CheckContext, service: ServiceView) -> Outcomes:
    """The project has room for one more model, version and operation: 100 models, 200 versions, 10 at once.

    Of versions only those of this model are counted: asking for all would take a call for each model.
    """
    if not context.target.is_cloud:
        return []  # the embedded server refuses at once: there is no wait that asking before would save
    limits = catalog.limits()
    versions = _("delete versions that are not used: %aip_list shows them")
    models = _("delete models that are not used: %aip_list shows them")
    found = [
        _quota("model.versions", len(service.versions()), limits.versions_per_project, versions),
        _quota("operations", service.running(), limits.concurrent_operations, _("wait until one is done")),
    ]
    if service.model() is None:
        found.append(_quota("models", service.model_count(), limits.models_per_project, models))
    return [finding for finding in found if finding]


@online_rule("R14", link=links.DENIED)
def caller_may(context: CheckContext, service: ServiceView) -> Outcomes:
    """The caller may create versions of the model, and predict where a test is asked for."""
    if not context.target.is_cloud:
        return []  # the embedded server has one user, who may do everything
    if service.model() is None:
        return Skipped(_("permissions are asked of a model, and there is none of this name yet"))
    wanted = {"ml.versions.create"} | ({"ml.versions.predict"} if context.test_request is not None else set())
    missing = sorted(wanted - service.permissions(wanted))
    if not missing:
        return []
    text = _("you lack the permission {names} on the model", names=", ".join(missing))
    fix = _("have somebody grant you {role} on the project or the model", role="roles/ml.developer")
    return [error("model", text, fix)]


@online_rule("S07", link=links.NOT_READABLE)
def bucket_readable(context: CheckContext, service: ServiceView) -> Outcomes:
    """The service's own account can read the bucket: of the project itself, or by a grant.

    It only warns: a grant on the whole project of the bucket is not seen in the bucket's policy.
    """
    from aip_magics.storage import grant_command  # urllib3 comes with it: for those who ask a service only

    if not context.target.is_cloud:
        return []  # the embedded server reads all of its own buckets
    bucket = service.bucket()
    if bucket is None:
        return Skipped(_("the bucket does not exist yet: it will be made in this project"))
    agent = service.service_agent()
    number = _AGENT.match(agent)
    if number and number[1] == bucket.project_number:
        return []
    readers = service.bucket_readers()
    if f"serviceAccount:{agent}" in readers or readers & _OPEN_TO_ALL:
        return []
    text = _(
        "the bucket gs://{name} belongs to another project and does not let {agent} read",
        name=bucket.name,
        agent=agent,
    )
    return [warning("version.deploymentUri", text, grant_command(bucket.name, agent))]


@online_rule("O01", link=links.REGIONAL)
def bucket_region(context: CheckContext, service: ServiceView) -> Outcomes:
    """The bucket lies in the region of the model, or in a multi-region around it: elsewhere loading takes longer."""
    from aip_magics.storage import Bucket

    regions = context.model.regions
    if not context.target.is_cloud or not regions:
        return []
    bucket = service.bucket()
    if bucket is None or Bucket(bucket.name, bucket.location, bucket.regions).is_in(regions[0]):
        return []
    text = _(
        "the bucket gs://{name} is in {there}, the model in {here}",
        name=bucket.name,
        there=bucket.location,
        here=regions[0],
    )
    fix = _("use a bucket in the model's region: --staging-bucket gs://BUCKET")
    return [advice("version.deploymentUri", text, fix)]


def _quota(subject: str, count: int, most: int, fix: str) -> Finding | None:
    if count >= most:
        return error(subject, _("there are {count}; {most} are allowed", count=count, most=most), fix)
    if count >= _NEAR * most:
        return warning(subject, _("there are {count}; {most} are allowed", count=count, most=most), fix)
    return None


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if isinstance(value, Mapping):
        return ",".join(f"{key}={item}" for key, item in value.items())
    return _("not set") if value is None else str(value)
