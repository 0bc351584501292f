"""The form as a value: what was given, what follows from it, what is wrong with it. It knows no widget.

What is given (on the line, by the last run, in the form) becomes the Deployment; all else is derived by the same plan
that a deploy makes, so that the form can promise nothing that the deploy does not do.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import TypeAlias

from aip_magics.checks.outcome import SEVERITIES
from aip_magics.deploy import Choice, Deployment, Plan
from aip_magics.deploy.plan import make_plan
from aip_magics.deploy.preflight import check_plan
from aip_magics.errors import AipError
from aip_magics.i18n import gettext as _
from aip_magics.notebook.form import field_conversion, field_options
from aip_magics.notebook.form.field_conversion import FieldProblem
from aip_magics.notebook.form.fields import get_field
from aip_magics.notebook.form.origin_lookup import InspectedOrigin
from aip_magics.settings import Settings, Sourced
from aip_magics.targets import Target, choose

Value: TypeAlias = "str | bool"

# When one field changes, what was chosen in these is dropped where it is no choice any more.
_FOLLOWERS = {
    "endpoint": ("region", "machineType"),
    "framework": ("runtimeVersion", "pythonVersion"),
    "runtimeVersion": ("pythonVersion",),
}


@dataclasses.dataclass(frozen=True)
class FormState:
    """A form that is being filled in.

    `base` is the deployment it began with: what the form has no field for stays as it was there. `given` are the values
    that were chosen by somebody, `sources` says by whom. A field that is not in `given` is derived.
    """

    base: Deployment
    settings: Settings
    given: Mapping[str, Value]
    sources: Mapping[str, str]
    looked: InspectedOrigin

    @classmethod
    def of(cls, deployment: Deployment, settings: Settings, source: str, *, regional: bool | None = None) -> FormState:
        """The form that is prefilled from a deployment; `source` says where that came from.

        `regional` is the kind of the endpoint where somebody asked for one, whatever the settings would be otherwise.
        """
        given = field_conversion.field_values_of(deployment)
        if regional is not None:
            given["endpoint"] = _endpoint(regional)
        return cls(deployment, settings, given, dict.fromkeys(given, source), InspectedOrigin.at(deployment))

    def set(self, id: str, value: Value) -> FormState:
        """The form with this field filled in; an empty value gives the field back to what is derived."""
        if id == "frameworkVersion":
            return self.set("runtimeVersion", field_options.runtime_with(self.values["framework"], str(value)))
        given = dict(self.given)
        given[id] = field_conversion.tidy(value) if isinstance(value, str) and id != "test" else value
        if not given[id]:
            del given[id]
        changed = self._with(given, id)
        if id == "origin":
            given.pop("trust", None)  # it was given to other files
        for follower in _FOLLOWERS.get(id, ()):
            if follower in given and given[follower] not in changed.offered(follower):
                del given[follower]
        return changed._with(given, id)

    def looked_again(self) -> FormState:
        """The form after another look at the files: they may have been saved anew meanwhile."""
        return dataclasses.replace(self, looked=InspectedOrigin.at(self.deployment))

    def _with(self, given: Mapping[str, Value], chosen: str) -> FormState:
        sources = {id: source for id, source in self.sources.items() if id in given}
        if chosen in given:
            sources[chosen] = _("chosen here")
        changed = dataclasses.replace(self, given=given, sources=sources)
        # Custom code may want any directory, so what is looked at depends on more than the directory's name.
        if chosen in ("origin", "predictionClass"):
            changed = dataclasses.replace(changed, looked=InspectedOrigin.at(changed.deployment))
        return changed

    @cached_property
    def _read(self) -> tuple[Deployment, tuple[FieldProblem, ...]]:
        return field_conversion.deployment(self.base, self.given, self.regional)

    @property
    def deployment(self) -> Deployment:
        """What Deploy would deploy. A value that cannot be read is left out here, and a problem."""
        return self._read[0]

    @property
    def regional(self) -> bool:
        """Whether the model goes to the endpoint of a region."""
        return (self.given.get("endpoint") or _endpoint(self.settings.region is not None)) == "regional"

    @cached_property
    def target(self) -> Target:
        """Where it goes. Nothing is contacted."""
        return choose(dataclasses.replace(self.settings, region=self._region()))

    def _region(self) -> Sourced[str] | None:
        if not self.regional:
            return None
        chosen = str(self.given.get("region") or "")
        kept = self.settings.region
        if kept is not None and chosen in ("", kept.value):
            return kept
        return Sourced(chosen, _("chosen here")) if chosen else Sourced(field_options.DEFAULT_REGION, _("default"))

    @cached_property
    def plan(self) -> Plan:
        """The plan of the deployment: it has the values that are derived, and why."""
        return make_plan(self.deployment, self.target, self.looked.model_dir)

    @cached_property
    def values(self) -> Mapping[str, Value]:
        """What each field shows: what was given, else what is derived, else nothing."""
        derived = {id: choice.value for id, choice in self._choices.items() if choice.value != _("none")}
        region = self.target.region or (self.plan.model.regions or ("",))[0]
        shown: dict[str, Value] = {
            "endpoint": _endpoint(self.regional),
            "region": region,
            "scaling": "automatic",
            **derived,
            **self.given,
        }
        shown["frameworkVersion"] = field_options.library_version(
            shown.get("framework", ""), shown.get("runtimeVersion", "")
        )
        return shown

    @cached_property
    def _choices(self) -> Mapping[str, Choice]:
        return {"region" if each.field == "regions" else each.field: each for each in self.plan.choices}

    def source(self, id: str) -> str:
        """Where the value of a field comes from; empty where it has none."""
        if id in self.given:
            return self.sources.get(id, "")
        if id == "frameworkVersion":
            return self.looked.libraries
        if id == "endpoint":
            return self.settings.region.told if self.settings.region else _("default: the global endpoint")
        region = self.target.settings.region
        if id == "region" and region is not None:
            return region.told
        return self._choices[id].source if id in self._choices else ""

    def offered(self, id: str) -> tuple[str, ...]:
        """The values to choose from, as the catalog has them; they follow what is chosen in other fields."""
        values = self.values if id in ("frameworkVersion", "runtimeVersion", "pythonVersion") else {}
        return field_options.options_for(id, values, self.regional)

    def choices(self, id: str) -> tuple[str, ...]:
        """The same, with the value that the field has: one that the catalog does not know is not lost."""
        offered, value = self.offered(id), str(self.values.get(id, ""))
        return offered if value in offered else (*offered, value)

    @cached_property
    def problems(self) -> tuple[FieldProblem, ...]:
        """All that is wrong or worth knowing, errors first."""
        found = [*self._read[1], *([self.looked.problem] if self.looked.problem else []), *self._findings()]
        return tuple(sorted(found, key=lambda problem: SEVERITIES.index(problem.severity)))

    def applies(self, id: str) -> bool:
        """Whether a field counts: the numbers of nodes follow the kind of scaling."""
        manual = self.values["scaling"] == "manual"
        return {"nodes": manual, "minNodes": not manual, "maxNodes": not manual}.get(id, True)

    def problems_of(self, id: str) -> tuple[FieldProblem, ...]:
        """What is to be shown beside a field; with an empty id what no field shows."""
        return tuple(problem for problem in self.problems if problem.field == id)

    @property
    def can_deploy(self) -> bool:
        """Whether Deploy may be pressed: nothing that is known would make it fail."""
        return all(problem.severity != "error" for problem in self.problems)

    @property
    def can_test(self) -> bool:
        """Whether Test may be pressed: there are instances, and nothing is wrong with what would answer them."""
        concerned = ("origin", "framework", "packageUris", "predictionClass", "test")
        wrong = any(each.severity == "error" and each.field in concerned for each in self.problems)
        return self.deployment.test is not None and not wrong

    def _findings(self) -> list[FieldProblem]:
        try:
            report = check_plan(self.plan, self.target)
        except AipError as error:
            return [field_conversion.problem("", error)]
        return [
            FieldProblem(get_field(found.subject), found.severity, found.message, found.fix, found.id)
            for found in report.findings
        ]


def _endpoint(regional: bool) -> str:
    return "regional" if regional else "global"
