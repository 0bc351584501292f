"""Preflight: what is known to fail after minutes of waiting, found before one byte is sent.

One rule is one small function with an id (see `base`); `run` applies all of them. A new rule is a function in one of
the modules imported here.
"""

from __future__ import annotations

from collections.abc import Collection

from aip_magics.checks import (  # noqa: F401 - importing a module registers its rules
    boosters,
    containers,
    custom_code,
    endpoint,
    files,
    instances,
    libraries,
    memory,
    model_file,
    names,
    nodes,
    options,
    package_trust,
    packages,
    pending,
    pickle_trust,
    pickled,
    requests,
    saved_model_trust,
    saved_models,
    tried,
    versions,
)
from aip_magics.checks.base import (
    RULES,
    Failed,
    Finding,
    Outcome,
    Passed,
    Rule,
    Severity,
    Skipped,
    Subject,
    TargetKind,
)
from aip_magics.checks.names import legal_name
from aip_magics.checks.online import ONLINE_RULES, BucketView, OnlineRule, ServiceView
from aip_magics.checks.report import Report
from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _
from aip_magics.spec import nearest


def run(subject: Subject, *, skip: Collection[str] = ()) -> Report:
    """Apply all rules but those whose id is in `skip`. Reads files of the model directory only, runs nothing of it.

    OptionError where `skip` names a rule that does not exist.
    """
    _known(skip)
    left_out = _left_out()
    return Report.of({id: left_out if id in skip else rule.apply(subject) for id, rule in RULES.items()})


def run_online(
    subject: Subject, service: ServiceView, *, skip: Collection[str] = (), only: Collection[str] | None = None
) -> Report:
    """Apply all online rules (those in `only`, where it is given) but those in `skip`: they ask the connected service.

    OptionError as in `run`.
    """
    _known(skip)
    left_out = _left_out()
    rules = {id: rule for id, rule in ONLINE_RULES.items() if only is None or id in only}
    return Report.of({id: left_out if id in skip else rule.apply(subject, service) for id, rule in rules.items()})


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
    "Subject",
    "TargetKind",
    "legal_name",
    "run",
    "run_online",
]
