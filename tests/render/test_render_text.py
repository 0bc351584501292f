from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from render_samples import MAKERS, events, finding, report, run, version
from test_render_html import Page

from aip_magics.errors import ChecksFailed, NotFound
from aip_magics.events import (
    Detached,
    Failed,
    Heartbeat,
    Note,
    Progress,
    StepFinished,
    StepSkipped,
    StepStarted,
)
from aip_magics.render import html, text
from aip_magics.render.formatting import width
from aip_magics.render.panels.describe import protection


def words(shown: str) -> set[str]:
    return set(re.findall(r"\w+", shown.lower()))


@pytest.mark.parametrize("kind", MAKERS)
def test_text_shows_what_html_shows(kind):
    value = MAKERS[kind]("iris", 2)
    shown = words(f"{text.of(value)} {text.aside(value)}")
    for piece in words(Page(html.of(value)).text):
        # The heads of the describe panel, and the dotted names that YAML has as levels, are the panel's own.
        assert piece in shown | {"version", "model", "operation", "field", "value", "yaml", "0", "failed", "default"}


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (StepStarted("up", "Upload"), "[   2.5 s] ● Upload"),
        (Note("up", "2 of 3 files\nare there"), "[   2.5 s] 2 of 3 files are there"),
        (Note("up", "old", "warning"), "[   2.5 s] ⚠ up: warning: old"),
        (StepFinished("up", "3 files"), "[   2.5 s] ✔ up: 3 files"),
        (StepFinished("up", ""), "[   2.5 s] ✔ up: done"),
        (StepSkipped("try", "no instances"), "[   2.5 s] ○ try: skipped, no instances"),
        (Failed("up", NotFound("no bucket\nmore", fix="make it")), "[   2.5 s] ✖ up: failed: no bucket"),
        (
            Detached("wait", "op1", "%aip_attach op1"),
            "[   2.5 s] → op1 is still running; run %aip_attach op1 to wait for it",
        ),
        (Progress("up", 1, 2, "files"), None),
        (Heartbeat("up"), None),
    ],
)
def test_text_of_event_lines(event, line):
    assert text.event_line(event, 2.5) == line


@given(st.text(), st.floats(0, 1e6))
def test_text_of_an_event_is_one_line(anything, elapsed):
    for event in events(anything):
        line = text.event_line(event, elapsed)
        assert line is None or (len(line.splitlines()) == 1 and "\x1b" not in line)


@pytest.mark.parametrize("kind", MAKERS)
def test_text_does_not_let_foreign_text_drive_a_terminal(kind):
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\x9b]", text.of(MAKERS[kind]("a\x1b[2J\rb\x9bc", 2)))


def test_text_of_progress():
    happened = [StepStarted("a", "Look"), StepFinished("a", "sklearn"), StepStarted("up", "Upload")]
    state = run([*happened, Progress("up", 5_000_000, 10_000_000, "bytes", "model.joblib")], "Deploy 붓꽃")
    assert text.progress_text(state).splitlines() == [
        "Deploy 붓꽃 ● running 3.0 s",
        "STEP    STATE            WHAT",
        "Look    ✔ done 1.0 s     sklearn",
        "Upload  ● running 1.0 s  [##########----------] 5.0 of 10.0 MB model.joblib",
    ]


def test_text_aligns_korean_columns():
    shown = text.of([version("붓꽃"), version("iris")]).splitlines()
    assert {width(line.partition("✔")[0]) for line in shown[1:]} == {6}


def test_text_bounds_rows_on_demand_only():
    reply = {"predictions": list(range(100))}
    assert len(text.of(reply).splitlines()) == 102
    assert text.of(reply, rows=3).splitlines()[-1] == "… 97 more rows"


def test_text_of_an_empty_list():
    assert text.of([]) == "Listed 0 items."


def test_text_of_findings():
    assert text.of(report("x")).splitlines() == [
        "✖ 1 error",
        "version.x: x S21 https://example.test/x",
        "fix: x",
        "⚠ 1 warning",
        "version.x: x S21 https://example.test/x",
        "fix: x",
        "○ 1 advice",
        "version.x: x S21 https://example.test/x",
        "fix: x",
        "✔ 2 checks passed",
        "1 check skipped:",
        "  x: x0",
    ]


def test_text_of_checks_failed_shows_each_finding_once():
    shown = text.of(ChecksFailed("1 check failed\n  S21 bad", findings=[finding("bad")]))
    assert shown.splitlines()[0] == "✖ ChecksFailed: 1 check failed"
    assert shown.count("version.bad") == 1


HELD = {"files": True, "network": True, "processes": True, "open": False, "by": "Landlock ABI 7, seccomp", "why": ""}
NONE = {**HELD, "files": False, "network": False, "processes": False, "by": ""}


@pytest.mark.parametrize(
    ("held", "line"),
    [
        (HELD, "protection: files, network, processes (Landlock ABI 7, seccomp)"),
        (
            {**HELD, "network": False, "open": True},
            "protection: files, processes (Landlock ABI 7, seccomp); custom code keeps network access",
        ),
        (
            {**HELD, "network": False, "by": "Landlock ABI 7", "why": "no seccomp"},
            "protection: files, processes (Landlock ABI 7) only; seccomp filters are not available on this machine",
        ),
        ({**NONE, "why": "no Landlock"}, "protection: none; Landlock is not available on this system"),
        ({**NONE, "why": "not Linux"}, "protection: none; worker processes can be confined only on Linux"),
        ({**NONE, "why": "refused"}, "protection: none; the system refused to apply the protection"),
        ({}, ""),
    ],
)
def test_text_of_protection_in_a_line(held, line):
    assert protection({"protection": held}) == line
