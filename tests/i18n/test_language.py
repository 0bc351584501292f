"""The catalogues of other languages: what is chosen, what is said where a text is missing."""

from __future__ import annotations

import pytest

from aip_magics import i18n


@pytest.fixture(autouse=True)
def english_after():
    yield
    i18n.use("en")


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
def test_i18n_prefers_configuration_to_variable_to_locale(variables, configured, expected):
    assert i18n.choose(variables, configured) == expected


def test_i18n_fills_values_in():
    assert i18n.gettext("{name!r} is not known", name="x") == "'x' is not known"
    assert i18n.gettext("100 {literally}") == "100 {literally}"


def test_i18n_falls_back_to_english():
    i18n.use("ko")
    assert i18n.gettext("no catalogue has {this}", this="this") == "no catalogue has this"


def test_i18n_refuses_an_unknown_language():
    with pytest.raises(ValueError, match="'de'"):
        i18n.use("de")
