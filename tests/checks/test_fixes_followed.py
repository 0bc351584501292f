"""Each fix that is a line to copy is followed: into the cell, the line of the magic, a terminal or the notebook."""

from __future__ import annotations

import pytest
from follow_fix import follow
from rule_cases import CASES

# Beginnings of fixes that tell what to do, where the user has to know or decide something.
NOT_LITERAL = (
)


@pytest.mark.parametrize(("id", "bad"), [(case[0], case[3]) for case in CASES], ids=[case[0] for case in CASES])
def test_fix_works_when_followed(deployment, found, id, bad):
    context = bad(deployment)
    finding = found(context, id)[0]
    after = follow(context, finding)
    if after is None:
        assert finding.fix.startswith(NOT_LITERAL), "decide whether it can be followed"
        return
    left = found(after, id)
    assert (finding.subject, finding.message) not in [(one.subject, one.message) for one in left]
    assert not [one for one in left if one.severity == "error"], "the fix leads to the next error"


def test_fixes_that_are_not_literal_are_still_given(deployment, found):
    fixes = [found(case[3](deployment), case[0])[0].fix for case in CASES]
    assert not [start for start in NOT_LITERAL if not any(fix.startswith(start) for fix in fixes)]
