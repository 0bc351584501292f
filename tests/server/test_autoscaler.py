"""How many nodes: the policy alone, with a clock of the test's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aip_magics.server.serving.autoscaler import (
    COOLDOWN_SECONDS,
    IDLE_SECONDS,
    LoadSnapshot,
    ScalingBounds,
    desired_nodes,
    next_check_at,
)
from aip_magics.spec import Version

NOW = 10_000.0


def load(nodes: int, outstanding: int = 0, used: float = 0.0, needed: float = 0.0) -> LoadSnapshot:
    """`used` and `needed` are seconds ago."""
    return LoadSnapshot(nodes, outstanding, NOW - used, NOW - needed)


@pytest.mark.parametrize(
    ("fields", "scale"),
    [
        ({}, ScalingBounds(0, 1)),
        ({"machineType": "mls1-c1-m2"}, ScalingBounds(0, 1)),
        ({"machineType": "n1-standard-4"}, ScalingBounds(1, 1)),
        ({"manualScaling": {"nodes": 3}}, ScalingBounds(3, 3)),
        ({"manualScaling": {}}, ScalingBounds(1, 1)),
        ({"autoScaling": {}}, ScalingBounds(0, 1)),
        ({"autoScaling": {"minNodes": 2}}, ScalingBounds(2, 2)),
        ({"autoScaling": {"maxNodes": 5}}, ScalingBounds(0, 5)),
        ({"autoScaling": {"maxNodes": 5}, "machineType": "n1-standard-2"}, ScalingBounds(1, 5)),
        ({"autoScaling": {"minNodes": 0, "maxNodes": 5}}, ScalingBounds(0, 5)),
    ],
)
def test_scaling_bounds_of_a_version(fields: dict[str, object], scale: ScalingBounds) -> None:
    assert ScalingBounds.of(Version.from_json(fields)) == scale


def test_scaling_bounds_can_be_capped() -> None:
    assert ScalingBounds(20, 50).capped(8) == ScalingBounds(8, 8)
    assert ScalingBounds(0, 3).capped(8) == ScalingBounds(0, 3)


@pytest.mark.parametrize(("outstanding", "nodes"), [(0, 0), (1, 1), (2, 1), (3, 2), (5, 3), (7, 4), (100, 4)])
def test_autoscaler_adds_nodes_for_more_requests_than_they_can_take(outstanding: int, nodes: int) -> None:
    assert desired_nodes(NOW, ScalingBounds(0, 4), load(0, outstanding)) == nodes


def test_autoscaler_keeps_a_node_that_was_needed_lately() -> None:
    assert desired_nodes(NOW, ScalingBounds(0, 4), load(3, 1, needed=COOLDOWN_SECONDS - 1)) == 3


def test_autoscaler_ends_nodes_one_by_one() -> None:
    assert desired_nodes(NOW, ScalingBounds(0, 4), load(3, 1, needed=COOLDOWN_SECONDS)) == 2
    assert desired_nodes(NOW, ScalingBounds(0, 4), load(1, 0, needed=COOLDOWN_SECONDS)) == 1
    assert desired_nodes(NOW, ScalingBounds(3, 4), load(3, 0, needed=COOLDOWN_SECONDS)) == 3


@pytest.mark.parametrize("least", [0, 2])
def test_autoscaler_keeps_the_minimum_without_requests_for_long(least: int) -> None:
    assert desired_nodes(NOW, ScalingBounds(least, 4), load(4, 0, used=IDLE_SECONDS)) == least
    assert desired_nodes(NOW, ScalingBounds(least, 4), load(4, 0, used=IDLE_SECONDS - 1, needed=0)) == 4
    assert desired_nodes(NOW, ScalingBounds(least, 4), load(4, 0, used=5, needed=0), idle_seconds=5) == least


def test_autoscaler_keeps_the_node_of_a_request_longer_than_idle() -> None:
    assert desired_nodes(NOW, ScalingBounds(0, 1), load(1, 1, used=2 * IDLE_SECONDS)) == 1
    assert next_check_at(NOW, ScalingBounds(0, 1), load(1, 1, used=2 * IDLE_SECONDS)) == NOW + 1


def test_autoscaler_takes_a_smaller_bound_at_once() -> None:
    assert desired_nodes(NOW, ScalingBounds(1, 2), load(5, 10)) == 2


def test_autoscaler_tells_when_to_check_again() -> None:
    assert next_check_at(NOW, ScalingBounds(2, 4), load(2)) is None
    assert next_check_at(NOW, ScalingBounds(0, 4), load(0)) is None
    assert next_check_at(NOW, ScalingBounds(0, 4), load(1)) == NOW + IDLE_SECONDS
    assert next_check_at(NOW, ScalingBounds(0, 4), load(2, needed=10)) == NOW - 10 + COOLDOWN_SECONDS
    assert next_check_at(NOW, ScalingBounds(0, 4), load(2, used=3, needed=3), idle_seconds=5) == NOW + 2


loads = st.builds(load, st.integers(0, 20), st.integers(0, 50), st.floats(0, 2000), st.floats(0, 2000))


@given(loads, st.integers(0, 5), st.integers(0, 10))
def test_autoscaler_stays_within_bounds_and_above_none_for_a_request(
    state: LoadSnapshot, least: int, more: int
) -> None:
    scale = ScalingBounds(least, max(least + more, 1))
    nodes = desired_nodes(NOW, scale, state)
    assert scale.min_nodes <= nodes <= scale.max_nodes
    assert nodes or not state.outstanding


@given(loads, st.integers(0, 5), st.integers(0, 10))
def test_autoscaler_checked_when_told_ends_at_the_minimum(state: LoadSnapshot, least: int, more: int) -> None:
    scale, now = ScalingBounds(least, max(least + more, 1)), NOW
    state = LoadSnapshot(state.nodes, 0, state.used, state.needed)
    for _ in range(50):
        nodes = desired_nodes(now, scale, state)
        needed = now if nodes < state.nodes else state.needed
        state = LoadSnapshot(nodes, 0, state.used, needed)
        due = next_check_at(now, scale, state)
        if due is None:
            break
        assert due > now
        now = due
    assert state.nodes == scale.min_nodes
