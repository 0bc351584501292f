from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from render_samples import run

from aip_magics.errors import NotFound
from aip_magics.events import (
    Detached,
    Event,
    Failed,
    Heartbeat,
    Note,
    Progress,
    StepFinished,
    StepSkipped,
    StepStarted,
)
from aip_magics.render import RunState
from aip_magics.render.run_state import MAX_NOTES

EVENTS: list[Event] = [
    StepStarted("a", "Step A"),
    Progress("a", 1, 2, "files"),
    Note("a", "hm"),
    StepFinished("a", "made"),
    StepSkipped("b", "no need"),
    Failed("c", NotFound("gone\nlong story")),
    Detached("d", "op", "%aip_attach op"),
    Heartbeat("e"),
]


def test_run_state_of_a_step_from_its_start_to_its_end():
    state = RunState("Deploy").apply(StepStarted("upload", "Upload"), 100.0)
    assert state.rows[0].title == "Upload"
    assert state.status == "running"

    state = state.apply(Progress("upload", 5, 10, "bytes", "x"), 101.5)
    assert state.rows[0].progress == Progress("upload", 5, 10, "bytes", "x")
    assert state.seconds(state.rows[0]) == 1.5

    state = state.apply(StepFinished("upload", "10 B"), 103.0)
    row = state.row("upload")
    assert (row.status, row.summary, row.elapsed, row.progress) == ("done", "10 B", 3.0, None)
    assert state.status == "running", "another step may begin"
    assert state.finished(104.0).status == "done"
    assert state.finished(104.0).elapsed == 4.0


def test_run_state_apply_leaves_the_old_state_alone():
    before = RunState("x").apply(StepStarted("a", "A"), 1)
    copy = dataclasses.replace(before)
    before.apply(StepFinished("a", "done"), 2)
    assert before == copy


@pytest.mark.parametrize(
    ("event", "status", "whole", "summary"),
    [
        (StepFinished("s", "made"), "done", "running", "made"),
        (StepSkipped("s", "no need"), "skipped", "running", "no need"),
        (Failed("s", NotFound("gone\nlong story")), "failed", "failed", "gone"),
        (Detached("s", "op1", "%aip_attach op1"), "detached", "detached", "op1 is still running"),
    ],
)
def test_run_state_ends(event, status, whole, summary):
    state = run([StepStarted("s", "S"), event])
    assert (state.rows[0].status, state.status, state.rows[0].summary) == (status, whole, summary)
    assert state.finished(9).status == (whole if whole != "running" else "done")


def test_run_state_keeps_the_error_and_the_way_back():
    error = NotFound("gone")
    assert run([Failed("s", error)]).error is error
    state = run([Detached("s", "op1", "%aip_attach op1")])
    assert (state.operation, state.reattach) == ("op1", "%aip_attach op1")


def test_run_state_time_goes_on_with_ticks_but_not_for_ended_steps():
    state = RunState().apply(StepStarted("a", "A"), 10).apply(StepFinished("a", ""), 12)
    state = state.apply(StepStarted("b", "B"), 12).apply(Heartbeat("b"), 20)
    assert [state.seconds(row) for row in state.rows] == [2, 8]
    assert state.at(25).elapsed == 15
    assert state.at(5).elapsed == 10, "a clock that goes back is not followed"


def test_run_state_of_a_step_started_again_has_a_new_clock_and_its_notes():
    state = run([StepStarted("a", "A"), Note("a", "n"), StepSkipped("a", "?"), StepStarted("a", "A again")])
    (row,) = state.rows
    assert (row.title, row.status, row.started, row.elapsed, row.summary) == ("A again", "running", 3.0, None, "")
    assert [note.text for note in row.notes] == ["n"]


def test_run_state_ignores_progress_after_the_end_of_a_step():
    state = run([StepStarted("a", "A"), StepFinished("a", "made"), Progress("a", 1, 2, "files")])
    assert (state.rows[0].status, state.rows[0].progress) == ("done", None)


def test_run_state_keeps_warnings_longest_of_many_notes():
    notes = [Note("a", "careful", "warning"), *(Note("a", str(n)) for n in range(MAX_NOTES + 9))]
    (row,) = run(list(notes)).rows
    assert len(row.notes) == MAX_NOTES
    assert row.dropped_notes == 10
    assert row.notes[0].text == "careful"
    assert row.notes[-1].text == str(MAX_NOTES + 8)


def test_run_state_bounds_warnings_too():
    (row,) = run([Note("a", str(n), "warning") for n in range(MAX_NOTES + 2)]).rows
    assert [row.notes[0].text, row.dropped_notes] == ["2", 2]


@given(st.permutations(EVENTS))
def test_run_state_takes_any_order_of_events(happened):
    state = run(happened)
    assert {row.id for row in state.rows} == {"a", "b", "c", "d"}
    assert state.status in ("failed", "detached")
    assert state.error is not None
    assert state.elapsed == len(happened) - 1
    assert all(state.seconds(row) >= 0 for row in state.rows)


def test_run_state_names_a_row_by_its_id_without_announcement():
    for first, second in itertools.permutations(EVENTS[1:4], 2):
        assert run([first, second]).rows[0].title == "a"
