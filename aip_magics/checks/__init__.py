"""Preflight: what is known to fail after minutes of waiting, found before one byte is sent.

One rule is one small function with an id (see `rule`), in a module of `rules`; `run` applies all of them.
"""

from __future__ import annotations

from collections.abc import Collection

from aip_magics.checks.context import CheckContext, TargetKind
from aip_magics.checks.outcome import Failed, Finding, Outcome, Passed, Severity, Skipped
from aip_magics.checks.report import Report
from aip_magics.checks.rule import RULES, Rule
from aip_magics.checks.rules.names import sanitize_name
from aip_magics.checks.rules.online import ONLINE_RULES, BucketView, OnlineRule, ServiceView
from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _
from aip_magics.spec import nearest


def run(context: CheckContext, *, skip: Collection[str] = ()) -> Report:
    """Apply all rules but those whose id is in `skip`. Reads files of the model directory only, runs nothing of it.

    OptionError where `skip` names a rule that does not exist.
    """
    _known(skip)
    left_out = _left_out()
    return Report.of({id: left_out if id in skip else rule.apply(context) for id, rule in RULES.items()})


def run_online(
    context: CheckContext, service: ServiceView, *, skip: Collection[str] = (), only: Collection[str] | None = None
) -> Report:
    """Apply all online rules (those in `only`, where it is given) but those in `skip`: they ask the connected service.

    OptionError as in `run`.
    """
    _known(skip)
    left_out = _left_out()
    rules = {id: rule for id, rule in ONLINE_RULES.items() if only is None or id in only}
    return Report.of({id: left_out if id in skip else rule.apply(context, service) for id, rule in rules.items()})


def _known(skip: Collection[str]) -> None:
    known = sorted([*RULES, *ONLINE_RULES])
    for id in skip:
        if id not in known:
            fix = nearest(id, known) or _("one of {names}", names=", ".join(known))
            raise OptionError(_("there is no check {id!r}", id=id), where="--skip", fix=fix)


def _left_out() -> Skipped:
    return Skipped(_("left out with --skip"))


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
    "TargetKind",
    "run",
    "run_online",
    "sanitize_name",
]
