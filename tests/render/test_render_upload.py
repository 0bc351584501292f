"""The panel of an upload: what will happen in one line, the files that are sent first, what stays there."""

from __future__ import annotations

from render_samples import SampleObject, SampleUpload

from aip_magics.events import Progress, StepFinished, StepStarted
from aip_magics.render import text
from aip_magics.render.terminal import TerminalReporter


def plan(*rows: tuple[str, str, int], extra: int = 0) -> SampleUpload:
    made = SampleUpload("iris", 0)
    made.rows, made.extra = rows, tuple(SampleObject("old", 1, "AAAAAA==", 1) for _ in range(extra))
    return made


def test_upload_panel_has_the_plan_in_a_line() -> None:
    rows = [("upload", "model.joblib", 12_300_000), ("copy", "vocab.txt", 5_000), ("keep", "a", 10), ("keep", "b", 10)]
    shown = text.of(plan(*rows, extra=2)).splitlines()
    assert shown[:3] == [
        "Upload to gs://bucket/iris/",
        "1 file to upload (12.3 MB), 1 object to copy in Cloud Storage (5.0 kB, not uploaded), 2 unchanged",
        "2 remote objects have no local file and are kept; use --delete-extra to delete them",
    ]
    assert [line.split()[0] for line in shown[3:]] == ["NAME", "model.joblib", "vocab.txt", "a", "b"]


def test_upload_panel_does_not_keep_what_is_removed() -> None:
    shown = text.of(plan(("remove", "old", 1), extra=1))
    assert "1 object to delete" in shown
    assert "--delete-extra" not in shown


def test_upload_panel_of_objects() -> None:
    shown = text.of([SampleObject("iris/v1/model.joblib", 1700000000000001, "yZRlqg==", 1200)]).splitlines()
    assert shown[0] == "1 object, 1.2 kB"
    assert shown[2].split() == ["iris/v1/model.joblib", "1.2", "kB", "1700000000000001", "yZRlqg=="]


def test_terminal_reporter_shows_progress_now_and_then() -> None:
    now = [0.0]
    lines: list[str] = []
    face = TerminalReporter(None, lines.append, lambda: now[0])
    face.emit(StepStarted("upload", "Upload"))
    for second in range(9):
        now[0] = second / 2
        face.emit(Progress("upload", second * 1_000_000, 8_000_000, "bytes", "1 of 3 files, 2.0 MB/s"))
    face.emit(StepFinished("upload", "3 sent"))
    assert lines == [
        "[   0.0 s] ● Upload",
        "[   2.0 s] upload: 4.0 of 8.0 MB, 1 of 3 files, 2.0 MB/s",
        "[   4.0 s] upload: 8.0 of 8.0 MB, 1 of 3 files, 2.0 MB/s",
        "[   4.0 s] ✔ upload: 3 sent",
    ]
