"""Preflight checks: find what is known to fail after minutes of waiting, before the first byte is uploaded.

A rule is one small function with an id and a name (see `rule`), in a module of `rules`; `run` applies all of them.
"""

from __future__ import annotations

from collections.abc import Collection

from aip_magics.checks.context import CheckContext, TargetFacts
from aip_magics.checks.outcome import Failed, Finding, Outcome, Passed, Severity, Skipped
from aip_magics.checks.report import Report
from aip_magics.checks.rule import RULES, Rule
from aip_magics.checks.rules.names import sanitize_name
from aip_magics.checks.rules.online import ONLINE_RULES, BucketView, OnlineRule, ServiceView
from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _
from aip_magics.spec import nearest


def run(context: CheckContext, *, skip: Collection[str] = ()) -> Report:
    """Apply all rules that need no connection. They read files of the model directory and run none of its code.

    Args:
        context: What is checked.
        skip: Ids or names of the rules to skip.

    Raises:
        OptionError: `skip` names a rule that does not exist.
    """
    skipped_ids = rule_ids(skip)
    by_user = _skipped_by_user()
    rules = {id: rule for id, rule in RULES.items() if rule.target in (None, context.target.name)}
    return Report.of({id: by_user if id in skipped_ids else rule.apply(context) for id, rule in rules.items()})


def run_online(
    context: CheckContext, service: ServiceView, *, skip: Collection[str] = (), only: Collection[str] | None = None
) -> Report:
    """Apply the online rules, which query the connected service.

    Args:
        context: What is checked.
        service: Answers what the rules ask of the service.
        skip: Ids or names of the rules to skip.
        only: Ids of the rules to apply; None for all.

    Raises:
        OptionError: `skip` names a rule that does not exist.
    """
    skipped_ids = rule_ids(skip)
    by_user = _skipped_by_user()
    applied = {id: rule for id, rule in ONLINE_RULES.items() if rule.target in (None, context.target.name)}
    rules = {id: rule for id, rule in applied.items() if only is None or id in only}
    return Report.of({id: by_user if id in skipped_ids else rule.apply(context, service) for id, rule in rules.items()})


def rule_ids(ids_or_names: Collection[str]) -> frozenset[str]:
    """Return the ids of rules that are given by id or by name.

    Raises:
        OptionError: There is no rule of that id or name.
    """
    rules: list[Rule | OnlineRule] = [*RULES.values(), *ONLINE_RULES.values()]
    known = {rule.id: rule.id for rule in rules} | {rule.name: rule.id for rule in rules}
    for given in ids_or_names:
        if given not in known:
            fix = nearest(given, sorted(known)) or _("use one of {names}", names=", ".join(sorted(known.values())))
            raise OptionError(_("unknown check {id!r}", id=given), where="--skip", fix=fix)
    return frozenset(known[given] for given in ids_or_names)


def rule_label(id: str) -> str:
    """Return the id and the name of a rule, as in `A02 library-too-new`; the id alone where no rule has it."""
    return f"{id} {rule_name(id)}".rstrip()


def rule_name(id: str) -> str:
    """Return the name of a rule, as in `library-too-new`; empty where no rule has the id."""
    rule = RULES.get(id) or ONLINE_RULES.get(id)
    return rule.name if rule else ""


def _skipped_by_user() -> Skipped:
    return Skipped(_("skipped with --skip"))


__all__ = [
    "ONLINE_RULES",
    "RULES",
    "BucketView",
    "CheckContext",
    "Failed",
    "Finding",
    "OnlineRule",
    "Outcome",
    "Passed",
    "Report",
    "Rule",
    "ServiceView",
    "Severity",
    "Skipped",
    "TargetFacts",
    "rule_ids",
    "rule_label",
    "rule_name",
    "run",
    "run_online",
    "sanitize_name",
]
