"""Lists of names and sizes in texts."""

from __future__ import annotations

import pytest

from aip_magics.wording import join_names, size_text


def test_join_names_of_the_first_of_many() -> None:
    assert join_names(str(number) for number in range(1, 6)) == "1, 2, 3, 4, 5"
    assert join_names(map(str, range(1, 3001))) == "1, 2, 3, 4, 5 and 2995 more"
    assert join_names(["a", "b", "c"], 2, separator="; ") == "a; b and 1 more"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (12_345, "12.3 kB"),
        (2_500_000, "2.5 MB"),
        (7.5e9, "7.5 GB"),
        (1.234e12, "1,234.0 GB"),
    ],
)
def test_size_text_of_bytes(count: float, text: str) -> None:
    assert size_text(count) == text
