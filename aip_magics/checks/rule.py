"""What a rule is: a small function from a CheckContext to findings, with a stable id.

::

    @rule("S21", link=API)
    def both_scalings(context: CheckContext) -> Outcomes:
        \"\"\"autoScaling and manualScaling exclude each other.\"\"\"
        if context.version.autoScaling is None or context.version.manualScaling is None:
            return []
        return [error("version.manualScaling", "…what is wrong…", "…how to mend it…")]

The docstring is the rule's documentation; the ids are those of the catalogue of known failures where it has one. A rule
that cannot decide returns `Skipped(reason)`: nothing passes silently.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from aip_magics.artifacts import ModelDir
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Failed, Finding, Outcome, Outcomes, Passed, Severity, Skipped
from aip_magics.i18n import gettext as _


@dataclasses.dataclass(frozen=True)
class Rule:
    """A registered rule. `title` and `text` are the first line and the rest of its documentation."""

    id: str
    title: str
    text: str
    link: str
    check: Callable[[CheckContext], Outcomes]

    def apply(self, context: CheckContext) -> Outcome:
        """Run the rule; its findings get its id and, where they have none, its link."""
        return stamped(self.check(context), self.id, self.link)


def stamped(found: Outcomes, id: str, link: str) -> Outcome:
    """What a rule returned as its outcome: the findings get the rule's id and, where they have none, its link."""
    if isinstance(found, Skipped):
        return found
    findings = tuple(dataclasses.replace(one, id=id, link=one.link or link) for one in found)
    return Failed(findings) if findings else Passed()


def documentation(check: Callable[..., Outcomes], id: str) -> tuple[str, str]:
    """Title and text of a rule, from the docstring of its function. ValueError where there is none."""
    title, _sep, text = (check.__doc__ or "").strip().partition("\n")
    if not title:
        raise ValueError(f"rule {id} has no docstring")
    return title, " ".join(text.split())


RULES: dict[str, Rule] = {}


def rule(id: str, *, link: str) -> Callable[[Callable[[CheckContext], Outcomes]], Callable[[CheckContext], Outcomes]]:
    """Register a function as the rule `id`; `link` is its evidence."""

    def register(check: Callable[[CheckContext], Outcomes]) -> Callable[[CheckContext], Outcomes]:
        if id in RULES:
            raise ValueError(f"two rules have the id {id}")
        RULES[id] = Rule(id, *documentation(check, id), link, check)
        return check

    return register


def on_directory(check: Callable[[CheckContext, ModelDir], Outcomes]) -> Callable[[CheckContext], Outcomes]:
    """For rules about files: skipped where the files are not on this machine."""

    def checked(context: CheckContext) -> Outcomes:
        if context.model_dir is None:
            return Skipped(_("the model directory is not on this machine"))
        return check(context, context.model_dir)

    checked.__doc__ = check.__doc__
    return checked


def error(subject: str, message: str, fix: str, link: str = "") -> Finding:
    """A finding that stops the deployment."""
    return Finding("", "error", subject, message, fix, link)


def warning(subject: str, message: str, fix: str, link: str = "") -> Finding:
    """A finding that probably hurts later."""
    return Finding("", "warning", subject, message, fix, link)


def advice(subject: str, message: str, fix: str, link: str = "") -> Finding:
    """A finding worth knowing."""
    return Finding("", "advice", subject, message, fix, link)


def in_cloud(
    context: CheckContext, where: str, text: str, fix: str, severity: Severity = "error", link: str = ""
) -> Finding:
    """A finding about what the cloud would do: of this severity there.

    On the local target, where the Python that deployed the model serves it, a warning, or advice where no runtime is
    named.
    """
    if not context.target.is_cloud:
        severity = "warning" if context.version.runtimeVersion else "advice"
        text = _("served by this Python locally; in the cloud: {text}", text=text)
    return Finding("", severity, where, text, fix, link)
