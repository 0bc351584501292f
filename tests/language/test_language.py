"""The catalogues of other languages: what is chosen, what is said where a text is missing."""

from __future__ import annotations

import pytest

from aip_magics import language


@pytest.fixture(autouse=True)
def english_after():
    yield
    language.use("en")


@pytest.mark.parametrize(
    ("variables", "configured", "expected"),
    [
        ({}, None, "en"),
        ({"LANG": "ko_KR.UTF-8"}, None, "ko"),
        ({"LC_ALL": "ko_KR", "LANG": "en_US.UTF-8"}, None, "ko"),
        ({"AIP_MAGICS_LANG": "en", "LANG": "ko_KR.UTF-8"}, None, "en"),
        ({"AIP_MAGICS_LANG": "en"}, "ko", "ko"),
        ({"LANG": "C.UTF-8"}, None, "en"),
        ({"LANG": "de_DE.UTF-8"}, None, "en"),
        ({"LANG": ""}, None, "en"),
    ],
)
def test_configuration_wins_over_the_variable_and_that_over_the_locale(variables, configured, expected):
    assert language.choose(variables, configured) == expected


def test_values_are_filled_in():
    assert language.say("{name!r} is not known", name="x") == "'x' is not known"
    assert language.say("100 {literally}") == "100 {literally}"


def test_a_text_that_no_catalogue_has_is_said_in_english():
    language.use("ko")
    assert language.say("no catalogue has {this}", this="this") == "no catalogue has this"


def test_an_unknown_language_is_refused():
    with pytest.raises(ValueError, match="'de'"):
        language.use("de")
