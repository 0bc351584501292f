"""Preflight: what is known to fail after minutes of waiting, found before one byte is sent.

One rule is one small function with an id (see `base`); `run` applies all of them. A new rule is a function in one of
the modules imported here.
"""

from __future__ import annotations

from collections.abc import Collection

from aip_magics.checks import (  # noqa: F401 - importing a module registers its rules
    custom_code,
    endpoint,
    files,
    libraries,
    model_file,
    names,
    options,
    pending,
    requests,
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
from aip_magics.checks.report import Report
from aip_magics.errors import OptionError
from aip_magics.spec import nearest


def run(subject: Subject, *, skip: Collection[str] = ()) -> Report:
    """Apply all rules but those whose id is in `skip`. Reads files of the model directory only, runs nothing of it.

    OptionError where `skip` names a rule that does not exist.
    """
    for id in skip:
        if id not in RULES:
            fix = nearest(id, list(RULES)) or f"one of {', '.join(sorted(RULES))}"
            raise OptionError(f"there is no check {id!r}", where="--skip", fix=fix)
    wanted_out = Skipped("left out with --skip")
    return Report.of({id: wanted_out if id in skip else rule.apply(subject) for id, rule in RULES.items()})


__all__ = [
    "RULES",
    "Failed",
    "Finding",
    "Outcome",
    "Passed",
    "Report",
    "Rule",
    "Severity",
    "Skipped",
    "Subject",
    "TargetKind",
    "legal_name",
    "run",
]
