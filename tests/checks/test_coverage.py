"""Every known failure is found by a rule, or listed with what finds it instead, or with why nothing can."""

from __future__ import annotations

import importlib.resources
import re
import sys

import pytest

from aip_magics import checks

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FAILURES = tomllib.loads(importlib.resources.files(checks).joinpath("coverage.toml").read_text("utf-8"))["failure"]
KNOWN = {**checks.RULES, **checks.ONLINE_RULES}


def test_failures_are_all_listed_once():
    ids = [failure["id"] for failure in FAILURES]
    assert len(ids) == len(set(ids)) == 100


@pytest.mark.parametrize("failure", FAILURES, ids=[failure["id"] for failure in FAILURES])
def test_failures_have_one_answer_each(failure):
    assert set(failure) - {"rules", "by", "not_checkable"} == {"id", "preflight", "cause", "source"}
    (answer,) = set(failure) & {"rules", "by", "not_checkable"}
    assert failure[answer]
    assert failure["preflight"] in ("Y", "P", "Y/P", "N", "n/a")
    assert failure["cause"]
    assert failure["source"]
    if answer == "rules":
        assert [id for id in failure["rules"] if id not in KNOWN] == []
    elif answer == "by":
        assert failure["by"] in ("try", "server", "deploy")
    else:
        assert re.search(r"\w+ \w+", failure["not_checkable"])


def test_failures_that_can_be_seen_before_are_checked():
    """Of the failures that preflight can see, only some of Vertex AI and four obsolete ones have no rule."""
    left = {failure["id"] for failure in FAILURES if failure["preflight"] != "n/a" and "not_checkable" in failure}
    assert left == {"S16", "A13", "R13", "R17", "V51", "V52", "V53"}


def test_failures_with_the_id_of_a_rule_are_covered_by_it():
    by_id = {failure["id"]: failure for failure in FAILURES}
    assert [id for id in KNOWN if id in by_id and id not in by_id[id].get("rules", ())] == []
