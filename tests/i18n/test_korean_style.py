"""The Korean catalogue reads as if one hand wrote it: how it addresses its reader, its terms, particles and spacing.

The README keeps to the same terms, which are listed at the head of the catalogue.
"""

from __future__ import annotations

import re
import string
from pathlib import Path

import catalogues
import pytest

KOREAN = catalogues.entries("ko")
README = (Path(__file__).parents[2] / "README.ko.md").read_text("utf-8")

# A statement ends in -습니다, a request in -세요, a question in -나요? or -인가요?; a label ends in a noun.
END = r"(?=[.;:)\"]|$)"
OTHER_ENDINGS = {
    "request": "시오" + END,
    "statement": f"(?<!니)다{END}|(?<![세나가])요{END}",
    "question": r"까\?|[나가]요(?!\?)",
}

# What a thing is not called → what it is called.
OTHER_TERMS = {
    "레이블": "라벨",
    "서명": "시그니처",
    "(?<!플랫)폼": "양식",
    "글로벌": "전역",
    "점검": "검사",
    "구성": "설정",
    "피클": "pickle",
    "머신 타입": "머신 유형",
    "오퍼레이션": "작업",
    "버켓": "버킷",
    "오브젝트": "객체",
    "내려받": "다운로드하다",
    "불러[오온올옵]": "로드하다",
    "시험 실행": "모의 실행",
    "익스포트": "내보내기",
    "디렉토리": "디렉터리",
    "메세지": "메시지",
    "특성": "피처",
}

# A value may end in any letter: a particle that depends on it has both forms, the one after a consonant first.
ONE_FORM = r"\{\w+[^}]*\}['\"`]?(은|는|이|가|을|를|와|과|로|으로|라는|이라는|라서|이라서)(?![가-힣(])"
OTHER_ORDER = r"는\(은\)|가\(이\)|를\(을\)|과\(와\)|로\(으로\)"

SPACING = {
    "a parenthesis follows its word": r"[가-힣] \((?!으\)로)",
    "no space inside of parentheses": r"\( | \)",
    "a space after a stop": "[가-힣][.,;:][가-힣]",
}

# Nothing but values, flags and names of the API.
UNTRANSLATED = {
    "Python {version}: {reason}",
    "packageUris: {name}",
    "{done} of {total} {unit}",
}

ENGLISH = r"\b(an?|and|are|at|be|but|by|can|for|from|has|have|in|is|its?|not|of|or|the|there|to|was|with)\b"
CODE = r"--[a-z-]+|`[^`]+`|'[^']+'|\([^()가-힣]*\)"


def found(pattern: str) -> list[str]:
    return [text for text in KOREAN.values() if re.search(pattern, text)]


def own_words(template: str) -> str:
    """The text without its values."""
    return " ".join(literal for literal, *_ in string.Formatter().parse(template))


def kept(text: str) -> set[str]:
    """What is the same in every language: flags, magics, places in Cloud Storage, and what stands in backquotes."""
    return set(re.findall(r"(?<![\w-])--[a-z-]+|%aip_[a-z_]+|gs://[A-Z/]*|`[^`]+`", text))


def latin(text: str) -> set[str]:
    return set(re.findall(r"[a-z][a-z0-9]+", text.lower()))


@pytest.mark.parametrize("kind", OTHER_ENDINGS)
def test_korean_style_addresses_the_reader_in_one_way(kind: str) -> None:
    assert found(OTHER_ENDINGS[kind]) == []


@pytest.mark.parametrize("term", OTHER_TERMS)
def test_korean_style_has_one_name_for_a_thing(term: str) -> None:
    assert found(term) == [], f"it is called {OTHER_TERMS[term]}"
    assert re.findall(f".*(?:{term}).*", README) == [], f"it is called {OTHER_TERMS[term]}"


def test_korean_style_particles_fit_any_value_before_them() -> None:
    assert found(ONE_FORM) == []
    assert found(OTHER_ORDER) == []


@pytest.mark.parametrize("rule", SPACING)
def test_korean_style_of_spacing(rule: str) -> None:
    assert found(SPACING[rule]) == []


def test_korean_style_ends_texts_as_their_templates() -> None:
    assert {key: text for key, text in KOREAN.items() if key.endswith(".") != text.endswith(".")} == {}


def test_korean_style_translates_every_label() -> None:
    untranslated = {key for key, text in KOREAN.items() if latin(own_words(key)) and not re.search("[가-힣]", text)}
    assert untranslated == UNTRANSLATED


def test_korean_style_leaves_no_english() -> None:
    texts = {text: re.sub(CODE, "", own_words(text)) for text in KOREAN.values()}
    assert [text for text, words in texts.items() if text not in UNTRANSLATED and re.search(ENGLISH, words)] == []


def test_korean_style_keeps_the_latin_words_of_the_template() -> None:
    # An English plural, or a verb such as pickled, has the word in it.
    assert {
        key: words
        for key, text in KOREAN.items()
        if (words := {word for word in latin(text) if word not in key.lower()})
    } == {}


def test_korean_style_keeps_flags_and_names_of_the_api() -> None:
    assert {key: text for key, text in KOREAN.items() if kept(key) != kept(text)} == {}
