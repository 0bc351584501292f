"""The page of the rules is made from them, and says what they do."""

from __future__ import annotations

import re

import pytest

from aip_magics import checks
from aip_magics.checks import docs_page, outcome
from aip_magics.checks.rule import warning

ALL = {**checks.RULES, **checks.ONLINE_RULES}


@pytest.fixture(scope="module")
def whole() -> str:
    """The page, made once."""
    return docs_page.page()


def test_docs_page_is_up_to_date() -> None:
    assert docs_page.PAGE.read_text("utf-8") == docs_page.page(), "run: python -m aip_magics.checks.docs_page"


def test_docs_page_has_a_section_for_every_rule_and_no_other() -> None:
    assert re.findall(r"^## (\S+) (\S+)$", docs_page.page(), re.MULTILINE) == [(id, ALL[id].name) for id in sorted(ALL)]


@pytest.mark.parametrize("id", sorted(ALL))
def test_docs_page_tells_the_severity_of_every_rule(id: str, whole: str) -> None:
    assert docs_page.severities(ALL[id].check)
    section = whole.partition(f"## {id} {ALL[id].name}\n")[2].partition("\n## ")[0]
    assert ALL[id].title in section
    assert ALL[id].link in section


def test_docs_page_severities_are_those_the_code_can_make() -> None:
    def only_warns(context: checks.CheckContext) -> outcome.Outcomes:
        return [warning("x", "y", "z") for _ in range(1)]

    only_warns.__module__ = "aip_magics.checks.invented"
    assert docs_page.severities(only_warns) == ("warning",)
    assert docs_page.severities(checks.RULES["M02"].check) == ("error", "warning")
    assert docs_page.severities(checks.RULES["U01"].check) == ("error",)
    assert docs_page.severities(checks.RULES["T07"].check) == ("warning", "advice")
