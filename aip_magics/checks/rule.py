"""A rule: a small function from a CheckContext to findings, with a stable id and a name.

::

    @rule("S21", "conflicting-scaling", link=API)
    def conflicting_scaling(context: CheckContext) -> Outcomes:
        \"\"\"autoScaling and manualScaling are mutually exclusive.\"\"\"
        if context.version.autoScaling is None or context.version.manualScaling is None:
            return []
        return [error("version.manualScaling", "…what is wrong…", "…how to fix it…")]

The docstring is the documentation of the rule. Ids never change; those of known failures are the ids of their
catalog. The name says in kebab case what the problem is, and is the name of the function. A rule that cannot decide
returns `Skipped(reason)`: no rule passes without having looked.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable

from aip_magics.artifacts import ModelDir
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Failed, Finding, Outcome, Outcomes, Passed, Severity, Skipped
from aip_magics.i18n import gettext as _


@dataclasses.dataclass(frozen=True)
class Rule:
    """A registered rule.

    `title` and `text` are the first line and the rest of its documentation, empty in a Python that strips docstrings.
    `target` is the name of the only target that it applies to; None for all.
    """

    id: str
    name: str
    title: str
    text: str
    link: str
    check: Callable[[CheckContext], Outcomes]
    target: str | None = None

    def apply(self, context: CheckContext) -> Outcome:
        """Run the rule; its findings get its id, its name and, if they have none, its link."""
        if self.id in context.target.unused_rules:
            return Skipped(context.target.unused_rules[self.id])
        return build_outcome(self.check(context), self.id, self.name, self.link)


def build_outcome(found: Outcomes, id: str, name: str, link: str) -> Outcome:
    """Build the outcome of what a rule returned: findings get its id, its name and, if they have none, its link."""
    if isinstance(found, Skipped):
        return found
    findings = tuple(dataclasses.replace(finding, id=id, name=name, link=finding.link or link) for finding in found)
    return Failed(findings) if findings else Passed()


def documentation(check: Callable[..., Outcomes], id: str) -> tuple[str, str]:
    """Return title and text of a rule, from the docstring of its function; both are empty under `python -OO`.

    Raises:
        ValueError: The function has no docstring, although this Python keeps docstrings.
    """
    title, _sep, text = (check.__doc__ or "").strip().partition("\n")
    if not title and sys.flags.optimize < 2:  # -OO and PYTHONOPTIMIZE=2 strip all docstrings
        raise ValueError(f"rule {id} has no docstring")
    return title, " ".join(text.split())


RULES: dict[str, Rule] = {}


def rule(
    id: str, name: str, *, link: str, target: str | None = None
) -> Callable[[Callable[[CheckContext], Outcomes]], Callable[[CheckContext], Outcomes]]:
    """Register a function as the rule with this id and name; `link` is the evidence for the rule.

    `target` is the name of the only target that the rule applies to.
    """

    def register(check: Callable[[CheckContext], Outcomes]) -> Callable[[CheckContext], Outcomes]:
        if id in RULES or name in (rule.name for rule in RULES.values()):
            raise ValueError(f"two rules have the id {id} or the name {name}")
        RULES[id] = Rule(id, name, *documentation(check, id), link, check, target)
        return check

    return register


def on_directory(check: Callable[[CheckContext, ModelDir], Outcomes]) -> Callable[[CheckContext], Outcomes]:
    """Decorate a rule about files: it is skipped if the files are not on this machine."""

    def checked(context: CheckContext) -> Outcomes:
        if context.model_dir is None:
            return context.no_files
        return check(context, context.model_dir)

    checked.__doc__ = check.__doc__
    return checked


def error(subject: str, message: str, fix: str, link: str = "") -> Finding:
    """Return a finding that stops the deployment."""
    return Finding("", "error", subject, message, fix, link)


def warning(subject: str, message: str, fix: str, link: str = "") -> Finding:
    """Return a finding that probably causes a failure later."""
    return Finding("", "warning", subject, message, fix, link)


def advice(subject: str, message: str, fix: str, link: str = "") -> Finding:
    """Return a finding that is worth knowing."""
    return Finding("", "advice", subject, message, fix, link)


def over_limit(
    context: CheckContext, subject: str, message: str, fix: str, severity: Severity, link: str = ""
) -> Finding:
    """Return a finding about a limit of the cloud: of this `severity` where the limit applies, else advice."""
    if not context.enforces_limits:
        severity = "advice"
        message = _("accepted by the embedded server; in the cloud: {text}", text=message)
    return Finding("", severity, subject, message, fix, link)


def in_cloud(
    context: CheckContext, subject: str, message: str, fix: str, severity: Severity = "error", link: str = ""
) -> Finding:
    """Return a finding about what the cloud would do; `severity` applies to cloud targets.

    On the local target, where the Python that deployed the model serves it, the finding is a warning, or advice if
    the deployment names no runtime.
    """
    if not context.target.is_cloud:
        severity = "warning" if context.version.runtimeVersion else "advice"
        if context.env == "current":
            message = _("served by this Python locally; in the cloud: {text}", text=message)
        else:
            message = _("served with --env {env} locally; in the cloud: {text}", env=context.env, text=message)
    return Finding("", severity, subject, message, fix, link)
