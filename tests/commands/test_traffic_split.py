"""The arguments of `traffic`: what is a split, and what an argument that is none is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aip_magics.commands.common.traffic_split import check_versions, format_split, parse_split, sort_split
from aip_magics.errors import OptionError

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,8}", fullmatch=True)


@st.composite
def splits(draw: st.DrawFn) -> dict[str, int]:
    """Any split: up to five versions whose percentages add up to 100."""
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    cuts = sorted(draw(st.lists(st.integers(0, 100), min_size=len(names) - 1, max_size=len(names) - 1)))
    return {name: end - start for name, start, end in zip(names, [0, *cuts], [*cuts, 100], strict=True)}


@given(splits(), st.sampled_from(["", "%", " "]))
@pytest.mark.slow
def test_traffic_split_reads_what_it_writes(split: dict[str, int], end: str) -> None:
    words = [f"{version}={percent}{end}" for version, percent in split.items()]
    served = {version: percent for version, percent in split.items() if percent}
    assert parse_split(words) == served
    assert parse_split(format_split(served).split()) == served
    percentages = list(sort_split(split).values())
    assert percentages == sorted(percentages, reverse=True)


@given(st.lists(st.text(max_size=8) | st.builds("{}={}".format, NAMES, st.integers(-5, 120)), min_size=1, max_size=4))
def test_traffic_split_of_any_words_is_a_split_or_an_error_that_names_one(words: list[str]) -> None:
    try:
        split = parse_split(words)
    except OptionError as error:
        split, where, fix = {"v": 100}, error.where, error.fix
    else:
        where, fix = words[0], "none"
    assert sum(split.values()) == 100
    assert all(0 < percent <= 100 for percent in split.values())
    assert where in (*words, " ".join(words))
    assert fix


@pytest.mark.parametrize(
    ("words", "where", "told"),
    [
        ("v2=10 v1=80", "v2=10 v1=80", "must add up to 100, got 90"),
        ("v2=10 v1=100", "v2=10 v1=100", "must add up to 100, got 110"),
        ("v2=-10 v1=110", "v2=-10", "must be between 0 and 100, got -10"),
        ("v1=50 v1=50", "v1=50", "version v1 is given twice"),
        ("v1=ten", "v1=ten", "'ten' is not a whole number"),
        ("v1=99.5 v2=0.5", "v1=99.5", "'99.5' is not a whole number"),
        ("v1=１００", "v1=１００", "is not a whole number"),
        ("v1", "v1", "expected VERSION=PERCENT, got 'v1'"),
        ("v1=", "v1=", "expected VERSION=PERCENT, got 'v1='"),
        ("=100", "=100", "expected VERSION=PERCENT, got '=100'"),
    ],
)
def test_traffic_split_names_the_argument_that_is_wrong(words: str, where: str, told: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_split(words.split())
    assert caught.value.where == where
    assert told in caught.value.message
    assert caught.value.fix


def test_traffic_split_leaves_out_who_gets_nothing() -> None:
    assert parse_split(["v1=0", "v2=100"]) == {"v2": 100}


def test_traffic_split_names_a_version_that_does_not_exist() -> None:
    check_versions({"v1": 100}, ["v1", "v2"], "iris")
    with pytest.raises(OptionError, match="version v3 of model iris does not exist") as caught:
        check_versions({"v1": 50, "v3": 50}, ["v1", "version_2"], "iris")
    assert (caught.value.where, caught.value.fix) == ("iris/v3", "use one of v1, version_2")
    with pytest.raises(OptionError) as caught:
        check_versions({"verson_2": 100}, ["v1", "version_2"], "iris")
    assert caught.value.fix == "did you mean 'version_2'?"
