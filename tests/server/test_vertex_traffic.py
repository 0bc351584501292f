"""Traffic splits: which are refused, what a deployment makes of them, and that the choice is fair."""

import collections
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aip_magics.errors import FailedPrecondition, InvalidArgument
from aip_magics.server.vertex import traffic
from aip_magics.server.vertex.traffic import WeightedChoice

IDS = st.text("123456789", min_size=1, max_size=3)


@st.composite
def splits(draw, ids=IDS):
    """Percentages that add up to 100."""
    keys = draw(st.lists(ids, min_size=1, max_size=6, unique=True))
    cuts = sorted(draw(st.lists(st.integers(0, 100), min_size=len(keys) - 1, max_size=len(keys) - 1)))
    return {key: high - low for key, low, high in zip(keys, [0, *cuts], [*cuts, 100], strict=True)}


REFUSED = [
    {"1": 99},
    {"1": 101},
    {"1": 50, "2": 49},
    {"1": -1, "2": 101},
    {"1": True, "2": 99},
    {"1": "x"},
    {"1": 99.5},
    {"1": None},
    {"1": [100]},
    {"1": 0},
]


@pytest.mark.parametrize("split", REFUSED)
def test_traffic_parse_refuses(split):
    with pytest.raises(InvalidArgument):
        traffic.parse(split)


@given(splits())
def test_traffic_parse_accepts_what_adds_up(split):
    assert traffic.parse(split) == split
    assert traffic.parse({id_: str(percentage) for id_, percentage in split.items()}) == split
    assert traffic.parse({id_: float(percentage) for id_, percentage in split.items()}) == split
    assert traffic.parse({}) == traffic.parse(None) == {}


def test_traffic_names_the_models_that_do_not_exist():
    with pytest.raises(InvalidArgument, match=r"The following DeployedModel ID\(s\) \[0, 7\] do not exist\."):
        traffic.check_ids({"7": 50, "1": 0, "0": 50}, {"1"})


def test_traffic_after_deploy_has_the_new_id():
    assert traffic.after_deploy({"1": 100}, {"0": 10, "1": 90}, "2") == {"2": 10, "1": 90}
    assert traffic.after_deploy({"1": 100}, {}, "2") == {"1": 100}


def test_traffic_after_undeploy():
    assert traffic.after_undeploy({"1": 100}, {}, "1", []) == {}
    assert traffic.after_undeploy({"1": 100, "2": 0}, {}, "2", ["1"]) == {"1": 100}
    assert traffic.after_undeploy({"1": 40, "2": 60}, {"1": 100}, "2", ["1"]) == {"1": 100}
    assert traffic.after_undeploy({"1": 40, "2": 60}, {"1": 100, "2": 0}, "2", ["1"]) == {"1": 100}
    with pytest.raises(FailedPrecondition, match="gets 60 % of the traffic"):
        traffic.after_undeploy({"1": 40, "2": 60}, {}, "2", ["1"])
    with pytest.raises(InvalidArgument, match=r"\[0\] do not exist"):
        traffic.after_undeploy({"1": 40, "2": 60}, {"0": 100}, "2", ["1"])


@given(splits())
def test_weighted_choice_gives_nothing_to_a_weight_of_zero(split):
    choice = WeightedChoice(split)
    chosen = collections.Counter(choice() for _ in range(300))
    assert all(split[id_] > 0 for id_ in chosen)


def test_weighted_choice_is_fair():
    """Each share of 200,000 choices is within 7 standard deviations: fails by chance once in 10^11 runs."""
    split, count = {"a": 1, "b": 9, "c": 40, "d": 50}, 200_000
    choice = WeightedChoice(split)
    chosen = collections.Counter(choice() for _ in range(count))
    for id_, percentage in split.items():
        share = percentage / 100
        assert abs(chosen[id_] - count * share) < 7 * math.sqrt(count * share * (1 - share))
