"""The state of the form as an immutable value, independent of widgets: requested and derived values, and problems.

Requested values (of the line, the last run, the form) become the Deployment; all other values come from the same plan
that `%aip_deploy` makes, so that the form and the deployment cannot differ.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TypeAlias

from aip_magics import settings as user_settings
from aip_magics import target_types
from aip_magics.checks.outcome import SEVERITIES
from aip_magics.deploy import Deployment, Plan
from aip_magics.deploy.plan import make_plan
from aip_magics.deploy.preflight import check_plan
from aip_magics.errors import AipError
from aip_magics.i18n import gettext as _
from aip_magics.notebook.form import field_conversion, field_options
from aip_magics.notebook.form.field_conversion import FieldProblem
from aip_magics.notebook.form.fields import get_field
from aip_magics.notebook.form.origin_lookup import InspectedOrigin
from aip_magics.settings import LOCAL_ENDPOINT, Settings, Sourced
from aip_magics.target_types import TargetType
from aip_magics.targets import Choice, Target, choose, load

Value: TypeAlias = "str | bool"
Resolve: TypeAlias = Callable[[Mapping[str, str]], Settings]

# When a field changes, values of these fields that are no longer valid choices are removed.
_FOLLOWERS = {
    "target": ("endpoint", "region", "machineType"),
    "endpoint": ("region", "machineType"),
    "framework": ("runtimeVersion", "pythonVersion"),
    "runtimeVersion": ("pythonVersion",),
}
_ANY_PROJECT = "your-project-id"  # as long as the target requires a project and none is set


@dataclasses.dataclass(frozen=True)
class FormState:
    """The state of an open form.

    `base` is the initial deployment: values without a field in the form stay unchanged. `requested` has the values that
    the user chose, `sources` their sources. The values of all other fields are derived. `resolve` gives the settings of
    a chosen target, project and endpoint; `unresolved` is the problem if it cannot.
    """

    base: Deployment
    settings: Settings
    requested: Mapping[str, Value]
    sources: Mapping[str, str]
    inspected: InspectedOrigin
    resolve: Resolve
    unresolved: FieldProblem | None = None

    @classmethod
    def of(
        cls,
        deployment: Deployment,
        settings: Settings,
        source: str,
        *,
        regional: bool | None = None,
        resolve: Resolve | None = None,
    ) -> FormState:
        """Create the state of a form prefilled from a deployment.

        Args:
            deployment: The initial deployment.
            settings: The settings of the command.
            source: The source of the values of the deployment.
            regional: The requested kind of endpoint; None for that of the settings.
            resolve: Resolves the settings for another target; None for those of this process.
        """
        requested = field_conversion.get_field_values(deployment)
        if regional is not None:
            requested["endpoint"] = _endpoint(regional)
        resolve = resolve or _resolve
        sources = dict.fromkeys(requested, source)
        return cls(deployment, settings, requested, sources, InspectedOrigin.at(deployment), resolve)

    def set(self, id: str, value: Value) -> FormState:
        """Return the state with a changed field; after an empty value the field is derived again."""
        if id == "frameworkVersion":
            return self.set("runtimeVersion", field_options.runtime_with(self.values["framework"], str(value)))
        if id == "endpoint" and value and value not in self.offered(id):
            return self  # of another target
        requested = dict(self.requested)
        requested[id] = field_conversion.tidy(value) if isinstance(value, str) and id != "test" else value
        if not requested[id]:
            del requested[id]
        changed = self._with(requested, id)
        if id in ("target", "project") or (id == "endpoint" and self._target_type.has_local_endpoint):
            changed = changed._resolved()
        if id == "origin":
            requested.pop("trust", None)  # trust was granted to other files
        for follower in _FOLLOWERS.get(id, ()):
            if follower in requested and requested[follower] not in changed.offered(follower):
                del requested[follower]
        return changed._with(requested, id)

    def _resolved(self) -> FormState:
        """Return the state with the settings of the chosen target, project and endpoint."""
        chosen = {id: str(self.requested[id]) for id in ("target", "project") if id in self.requested}
        kind = target_types.get(chosen.get("target", self.settings.target.value))
        if "endpoint" in self.requested and kind.has_local_endpoint:
            chosen["endpoint"] = LOCAL_ENDPOINT if self.requested["endpoint"] == field_options.EMBEDDED else ""
        unresolved = None
        try:
            found = self.resolve(chosen)
        except AipError as error:
            field = "project" if error.where.startswith("project") else "target"
            unresolved = field_conversion.problem(field, error)
            try:
                found = self.resolve({**chosen, "project": _ANY_PROJECT})
            except AipError:
                found = self.settings
        return dataclasses.replace(self, settings=found, unresolved=unresolved)

    def inspected_again(self) -> FormState:
        """Return the state after inspecting the files again, which may have changed."""
        return dataclasses.replace(self, inspected=InspectedOrigin.at(self.deployment))

    def _with(self, requested: Mapping[str, Value], chosen: str) -> FormState:
        sources = {id: source for id, source in self.sources.items() if id in requested}
        if chosen in requested:
            sources[chosen] = _("chosen in the form")
        changed = dataclasses.replace(self, requested=requested, sources=sources)
        # Custom code accepts any directory, so the inspection depends on the prediction class, too.
        if chosen in ("origin", "predictionClass"):
            changed = dataclasses.replace(changed, inspected=InspectedOrigin.at(changed.deployment))
        return changed

    @cached_property
    def _read(self) -> tuple[Deployment, tuple[FieldProblem, ...]]:
        requested = {id: value for id, value in self.requested.items() if id not in self.unusable}
        return field_conversion.build_deployment(self.base, requested, self.regional)

    @property
    def deployment(self) -> Deployment:
        """The deployment of the form, without invalid values, which are problems."""
        return self._read[0]

    @property
    def regional(self) -> bool:
        """Whether the endpoint is regional."""
        if not field_options.has_global_endpoint(self._target_class):
            return True
        return (self.requested.get("endpoint") or _endpoint(self.settings.region is not None)) == "regional"

    @property
    def _target_type(self) -> TargetType:
        return target_types.get(self.settings.target.value)

    @property
    def _target_class(self) -> type[Target]:
        return load(self.settings.target.value)

    @cached_property
    def unusable(self) -> Mapping[str, str]:
        """The fields that the target cannot use, each with the reason."""
        reasons = self.target.unusable_fields()
        return {id: reason for name, reason in reasons.items() for id in field_options.ids_of(name)}

    @cached_property
    def target(self) -> Target:
        """The target of the deployment, without contacting it."""
        return choose(dataclasses.replace(self.settings, region=self._region()))

    def _region(self) -> Sourced[str] | None:
        if not self.regional:
            return None
        chosen = str(self.requested.get("region") or "")
        kept = self.settings.region
        if kept is not None and chosen in ("", kept.value):
            return kept
        return (
            Sourced(chosen, _("chosen in the form")) if chosen else Sourced(field_options.DEFAULT_REGION, _("default"))
        )

    @cached_property
    def plan(self) -> Plan:
        """The plan of the deployment, with the derived values and their sources."""
        return make_plan(self.deployment, self.target, self.inspected.model_dir)

    @cached_property
    def values(self) -> Mapping[str, Value]:
        """The value of each field: requested, derived or empty."""
        derived = {id: choice.value for id, choice in self._choices.items() if choice.value != _("none")}
        region = self.target.region or (self.plan.model.regions or ("",))[0]
        settings = self.settings
        is_embedded = settings.has_local_endpoint
        is_unknown = self.unresolved is not None and settings.project.value == _ANY_PROJECT
        shown: dict[str, Value] = {
            "scaling": "automatic",
            **derived,
            **self.requested,
            "target": settings.target.value,
            "project": self.requested.get("project", "" if is_unknown else settings.project.value),
            "endpoint": field_options.EMBEDDED if is_embedded else _endpoint(self.regional),
            "region": self.requested.get("region", region),
        }
        shown = {id: value for id, value in shown.items() if id not in self.unusable}
        shown["frameworkVersion"] = field_options.library_version(
            shown.get("framework", ""), shown.get("runtimeVersion", "")
        )
        return shown

    @cached_property
    def _choices(self) -> Mapping[str, Choice]:
        return {"region" if each.field == "regions" else each.field: each for each in self.plan.choices}

    def source(self, id: str) -> str:
        """The source of the value of a field; empty without a value."""
        if id in self.requested:
            return self.sources.get(id, "")
        if id in ("target", "project"):
            return "" if self.unresolved else getattr(self.settings, id).label
        if id == "frameworkVersion":
            return self.inspected.libraries
        if id == "endpoint":
            setting = self.settings.endpoint or self.settings.region
            return setting.label if setting else _("default: the global endpoint")
        region = self.target.settings.region
        if id == "region" and region is not None:
            return region.label
        return self._choices[id].source if id in self._choices else ""

    def offered(self, id: str) -> tuple[str, ...]:
        """The choices of the catalog for a field, given the values of the other fields."""
        values = self.values if id in ("frameworkVersion", "runtimeVersion", "pythonVersion") else {}
        return field_options.options_for(id, values, self.settings.target.value, self.regional)

    def choices(self, id: str) -> tuple[str, ...]:
        """The choices for a field, including its current value even if the catalog does not have it."""
        offered, value = self.offered(id), str(self.values.get(id, ""))
        return offered if value in offered else (*offered, value)

    @cached_property
    def problems(self) -> tuple[FieldProblem, ...]:
        """All problems and remarks, errors first."""
        single = [each for each in (self.unresolved, self.inspected.problem) if each is not None]
        found = [*self._read[1], *single, *self._findings()]
        return tuple(sorted(found, key=lambda problem: SEVERITIES.index(problem.severity)))

    def applies(self, id: str) -> bool:
        """Whether a field applies: the target, and for the numbers of nodes the kind of scaling decides."""
        if id in self.unusable:
            return False
        manual = self.values["scaling"] == "manual"
        return {"nodes": manual, "minNodes": not manual, "maxNodes": not manual}.get(id, True)

    def problems_of(self, id: str) -> tuple[FieldProblem, ...]:
        """The problems of a field; with an empty id those without a field."""
        return tuple(problem for problem in self.problems if problem.field == id)

    @property
    def can_deploy(self) -> bool:
        """Whether the form has no error that would prevent the deployment."""
        return all(problem.severity != "error" for problem in self.problems)

    @property
    def can_test(self) -> bool:
        """Whether test instances exist and no error concerns the local prediction."""
        relevant = ("origin", "framework", "packageUris", "predictionClass", "test")
        has_errors = any(each.severity == "error" and each.field in relevant for each in self.problems)
        return self.deployment.test is not None and not has_errors

    def _findings(self) -> list[FieldProblem]:
        try:
            report = check_plan(self.plan, self.target)
        except AipError as error:
            return [field_conversion.problem("", error)]
        return [
            FieldProblem(get_field(found.subject), found.severity, found.message, found.fix, found.id)
            for found in report.findings
        ]


def _resolve(chosen: Mapping[str, str]) -> Settings:
    return user_settings.resolve(
        target=chosen.get("target"), project=chosen.get("project"), endpoint=chosen.get("endpoint")
    )


def _endpoint(regional: bool) -> str:
    return "regional" if regional else "global"
