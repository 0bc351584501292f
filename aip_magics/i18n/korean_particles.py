"""Korean particles take one of two forms, by the sound that ends the word before them: `v1을`, `2.11은`, `파일이`.

Texts have both, 을(를), because the word is a value. Where the sound is known, after a Korean letter or a digit, the
one that fits is left; after other letters, which everybody reads in a way of his own, both stay.
"""

from __future__ import annotations

import re

# Both forms → after a consonant, after a vowel.
FORMS = {
    "을(를)": ("을", "를"),
    "은(는)": ("은", "는"),
    "이(가)": ("이", "가"),
    "와(과)": ("과", "와"),
    "(으)로": ("으로", "로"),
    "(이)라": ("이라", "라"),
}
_BOTH = re.compile(r"([가-힣0-9])(['\"`]?)(" + "|".join(map(re.escape, FORMS)) + ")")
_DIGITS = dict(zip("0123456789", "영일이삼사오육칠팔구", strict=True))  # 10, 100 and 1000 end in a consonant, too
_RIEUL = 8  # the final ㄹ, after which 로 stands as after a vowel


def fix_particles(text: str) -> str:
    """The text with every particle in the form that fits, where the sound before it is known."""
    return _BOTH.sub(_fit, text)


def _fit(found: re.Match[str]) -> str:
    letter, mark, both = found.groups()
    final = (ord(_DIGITS.get(letter, letter)) - ord("가")) % 28  # Unicode orders the syllables by their final last
    after_consonant, after_vowel = FORMS[both]
    open_sound = final == 0 or (both == "(으)로" and final == _RIEUL)
    return letter + mark + (after_vowel if open_sound else after_consonant)
