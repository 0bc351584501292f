"""Particles fit the word before them where its sound is known; elsewhere a text keeps both forms."""

from __future__ import annotations

import pytest

from aip_magics import i18n
from aip_magics.i18n.korean_particles import FORMS, fix_particles

CONSONANT, VOWEL, RIEUL = "모델들은 그만", "버전 정보", "파일"


@pytest.mark.parametrize("both", FORMS)
def test_korean_particles_have_a_form_after_a_consonant_and_after_a_vowel(both: str) -> None:
    after_consonant, after_vowel = FORMS[both]
    assert fix_particles(CONSONANT + both) == CONSONANT + after_consonant
    assert fix_particles(VOWEL + both) == VOWEL + after_vowel


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2.11은(는)", "2.11은"),
        ("v2을(를)", "v2를"),
        ("Python 3.10이(가)", "Python 3.10이"),
        ("2.7(으)로", "2.7로"),  # 칠 ends in ㄹ
        (f"{RIEUL}(으)로", f"{RIEUL}로"),
        (f"{RIEUL}을(를)", f"{RIEUL}을"),
        ("3(으)로", "3으로"),
        ("'v1'이(가)", "'v1'이"),
        ("이름(이)라는", "이름이라는"),
        ("iris을(를)", "iris을(를)"),  # nobody knows how it is read
        ("model.joblib은(는)", "model.joblib은(는)"),
        ("확인(2개)", "확인(2개)"),
    ],
)
def test_korean_particles_are_chosen_by_the_sound_before_them(text: str, expected: str) -> None:
    assert fix_particles(text) == expected


def test_korean_particles_fit_the_values_of_a_text() -> None:
    i18n.use("ko")
    try:
        assert i18n.gettext("unknown runtime version {asked}", asked="2.99") == "런타임 버전 2.99는 없습니다"
    finally:
        i18n.use("en")
    assert i18n.gettext("{name} 을(를)", name="2") == "2 을(를)"
    assert i18n.gettext("{name}을(를)", name="2") == "2을(를)"
