"""The widgets of the form, driven in this process as a page would: every control by its name, every button pressed."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ipywidgets
import pytest
from ipywidgets.widgets.widget import _instances as living

from aip_magics.commands.common.command import Context
from aip_magics.commands.registry import build_parser, get_command
from aip_magics.errors import AipError, OptionError
from aip_magics.events import Detached, Heartbeat
from aip_magics.notebook.form import Form
from aip_magics.notebook.form.background_deploy import FormReporter, OutputSlots
from aip_magics.notebook.form.fields import fields
from aip_magics.notebook.form.file_listing import BUCKETS, get_parent, get_start, list_directory
from aip_magics.notebook.form.widgets import VIEW
from aip_magics.notebook.reporter import NotebookReporter
from aip_magics.render.terminal import TerminalReporter
from aip_magics.targets import local

SECRET = "s3cr3t-value"
ROW = [5.1, 3.5, 1.4, 0.2]


class Published:
    """The displays of a notebook: what each display_id shows now, in the order in which they appeared."""

    def __init__(self) -> None:
        self.shown: dict[str, dict[str, Any]] = {}

    def publish(self, data: dict[str, Any], transient: dict[str, Any] | None = None, **_: Any) -> None:
        self.shown[(transient or {})["display_id"]] = data

    def all(self) -> list[dict[str, Any]]:
        return list(self.shown.values())

    def __contains__(self, text: str) -> bool:
        return text in str(self.all())


@pytest.fixture
def published(shell: Any) -> Published:
    found = Published()
    shell.display_pub = found
    return found


Open = Callable[..., Form]


@pytest.fixture
def open_form(published: Published, embedded: Path) -> Iterator[Open]:
    """Opens a form by its real command, in a notebook's face. Whatever is open in the end is closed."""
    opened: list[Form] = []

    def opening(line: list[str], body: str | None = None) -> Form:
        command = get_command("form")
        args = build_parser(command, "%aip_form").parse(line)
        form: Form = command.run(args, body, Context(NotebookReporter("aip_form"), open_form=Form))
        opened.append(form)
        return form

    yield opening
    for form in opened:
        form.cancel()


def controls(widget: Any) -> Iterator[Any]:
    yield widget
    for child in getattr(widget, "children", ()):
        yield from controls(child)


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_form_view_is_shown_as_one_view_and_names_every_control(
    open_form: Open, published: Published, iris_export: Path
) -> None:
    form = open_form(["--model-dir", str(iris_export)])
    assert form.is_open
    assert [VIEW in bundle for bundle in published.all()] == [True, *[False] * (len(published.all()) - 1)]
    assert published.all()[0][VIEW]["model_id"] == form.view.box.model_id
    inputs = [each for each in controls(form.view.box) if not isinstance(each, (ipywidgets.Box, ipywidgets.HTML))]
    names = [each.description for each in inputs]
    assert all(names)
    assert len(names) == len(set(names))
    assert {field.label for field in fields()} <= set(names)
    assert all(each.continuous_update is False for each in inputs if hasattr(each, "continuous_update"))


def test_form_view_controls_show_the_state_and_change_it(open_form: Open, iris_export: Path) -> None:
    form = open_form(["--model-dir", str(iris_export), "--description", "from the line"])
    shown = form.view.controls
    assert shown["framework"].value == "SCIKIT_LEARN"
    assert "detected from model.joblib" in form.view.notes["framework"].value
    assert shown["description"].value == "from the line"
    shown["endpoint"].value = "regional"
    assert shown["machineType"].value == "n1-standard-2"
    assert ("n1-standard-4", "n1-standard-4") in shown["machineType"].options
    assert form.state.requested.keys() == {"origin", "description", "endpoint"}  # what only follows is not given
    shown["model"].value = ""
    assert shown["model"].value == "iris"
    assert shown["nodes"].disabled
    shown["scaling"].value = "manual"
    assert (shown["nodes"].disabled, shown["minNodes"].disabled) == (False, True)


def test_form_view_shows_problems_beside_their_field_before_deploy(open_form: Open, iris_export: Path) -> None:
    form = open_form(["--model-dir", str(iris_export)])
    assert not form.view.deploy_button.disabled
    form.view.controls["model"].value = "1-<b>iris</b>"
    note = form.view.notes["model"].value
    assert "alert" in note
    assert "<b>iris" not in note
    assert form.view.deploy_button.disabled
    assert form.deploy() is False
    form.view.controls["model"].value = "iris"
    assert "alert" not in form.view.notes["model"].value
    assert not form.view.deploy_button.disabled


def test_form_view_shows_what_has_no_field_above_the_buttons(open_form: Open, iris_export: Path) -> None:
    form = open_form(["--model-dir", str(iris_export), "--accelerator", "type=nvidia-tesla-t4"])
    assert "accelerator" in form.view.general.value
    assert form.view.deploy_button.disabled


def test_form_view_preview_follows(open_form: Open, iris_export: Path) -> None:
    form = open_form(["--model-dir", str(iris_export)])
    form.view.controls["version"].value = "v42"
    assert "%aip_deploy v42" in form.view.preview.value
    for kind in ("gcloud", "curl", "python"):
        form.view.kind.value = kind
        assert "v42" in form.view.preview.value
    form.view.controls["description"].value = "<script>"
    assert "<script>" not in form.view.preview.value


def test_form_view_is_prefilled_by_a_body_without_a_directory(open_form: Open) -> None:
    form = open_form([], f"test: {{instances: [{ROW}]}}\nmodel: {{name: iris, description: flowers}}")
    assert form.view.controls["modelDescription"].value == "flowers"
    assert form.view.controls["test"].value == f"[{ROW}]"
    assert form.state.problems_of("origin")


def test_form_view_opens_without_a_directory(open_form: Open, iris_export: Path) -> None:
    form = open_form([])
    assert form.state.problems_of("origin")
    assert form.view.deploy_button.disabled
    assert form.view.preview.value
    form.view.controls["origin"].value = str(iris_export)
    assert not form.view.deploy_button.disabled


def test_form_view_leaves_nothing_typed_in_representations_or_after_cancel(
    open_form: Open, published: Published, iris_export: Path
) -> None:
    form = open_form(["--model-dir", str(iris_export)])
    for id in ("description", "serviceAccount", "labels", "test"):
        form.view.controls[id].value = SECRET
    for widget in [*controls(form.view.box), form, form.view.box]:
        assert SECRET not in repr(widget)
        if hasattr(widget, "_repr_mimebundle_"):
            assert SECRET not in str(widget._repr_mimebundle_())
    assert SECRET not in published
    widgets = list(controls(form.view.box))
    form.cancel()
    assert not form.is_open
    assert VIEW not in published
    assert "nothing was sent" in published
    assert SECRET not in published
    for widget in widgets:  # what a saved notebook could still have of them
        assert widget.comm is None
        assert SECRET not in str([getattr(widget, name, "") for name in ("value", "options", "placeholder")])
    form.set("description", "too late")
    assert form.deploy() is False


def test_form_view_leaves_the_users_own_widgets_when_it_closes(open_form: Open, iris_export: Path) -> None:
    own = ipywidgets.Text(value="mine")
    open_form(["--model-dir", str(iris_export)]).cancel()
    assert own.comm is not None
    assert own.value == "mine"
    own.close()


def test_form_view_test_button_predicts_here(open_form: Open, iris_export: Path) -> None:
    form = open_form(["--model-dir", str(iris_export)])
    assert form.view.test_button.disabled
    form.view.controls["test"].value = f"- {ROW}"
    form.view.test_button.click()
    form.wait(60)
    assert "1 prediction" in form.view.result.value
    form.view.controls["test"].value = "- [1, 2]"
    form.view.test_button.click()
    form.wait(60)
    assert "PredictionError" in form.view.result.value
    assert form.is_open
    assert not form.view.test_button.disabled


def test_form_view_deploy_turns_into_summary_panel_and_version(
    open_form: Open, published: Published, iris_export: Path
) -> None:
    form = open_form(["--model-dir", str(iris_export)], f"test:\n  instances: [{ROW}]\n")
    form.view.controls["description"].value = "from the form"
    form.view.deploy_button.click()
    assert not form.is_open  # at once: the deploy goes on in its thread
    version = form.wait(120)
    assert version is not None
    assert (version.id, version.state, version.description) == ("v1", "READY", "from the form")
    assert form.result == version
    summary, panel, described, predictions, button = published.all()
    assert VIEW not in published
    assert "Deployed from a form" in summary["text/plain"]
    assert str(ROW) not in summary["text/html"]
    assert "done" in panel["text/plain"]
    assert "state: READY" in described["text/plain"]
    assert "1 prediction" in predictions["text/plain"]
    assert button == {"text/plain": ""}
    assert all(len(bundle.get("text/html", "").encode()) <= 4096 for bundle in published.all())


def test_form_view_deploys_regionally(open_form: Open, iris_export: Path) -> None:
    form = open_form(["--model-dir", str(iris_export)])
    form.view.controls["endpoint"].value = "regional"
    form.view.controls["region"].value = "asia-east1"
    form.deploy()
    version = form.wait(120)
    assert version is not None
    assert version.machineType == "n1-standard-2"


def test_form_view_deploys_to_vertex_on_the_embedded_server(open_form: Open, iris_export: Path) -> None:
    form = open_form(["--model-dir", str(iris_export)])
    form.view.controls["target"].value = "vertex"
    assert form.view.controls["runtimeVersion"].disabled
    assert "Vertex AI serves a version with the libraries of its image" in form.view.notes["runtimeVersion"].value
    assert form.view.deploy_button.disabled  # without a project
    form.view.controls["project"].value = "some-project"
    form.view.controls["endpoint"].value = "embedded"
    form.view.controls["region"].value = "europe-west4"
    assert not form.view.controls["predictionClass"].disabled
    form.view.deploy_button.click()
    made = form.wait()
    assert made is not None
    assert (made.state, made.modelVersion) == ("READY", "projects/some-project/locations/europe-west4/models/iris@1")


def test_form_view_tells_why_a_deploy_fails(
    open_form: Open, published: Published, iris_export: Path, tmp_path: Path
) -> None:
    export = shutil.copytree(iris_export, tmp_path / "iris")
    form = open_form(["--model-dir", str(export)], "test: {instances: [[1, 2]]}")
    form.deploy()
    with pytest.raises(AipError):
        form.wait(60)
    assert form.result is None
    assert "failed" in published.all()[1]["text/plain"]
    assert VIEW not in published


def test_form_view_inspects_changed_files_before_deploy(open_form: Open, iris_export: Path, tmp_path: Path) -> None:
    export = shutil.copytree(iris_export, tmp_path / "iris")
    form = open_form(["--model-dir", str(export)])
    (export / "model.joblib").unlink()
    assert form.deploy() is False
    assert form.is_open
    assert form.view.deploy_button.disabled


def test_form_view_stop_interrupts_before_the_operation(
    open_form: Open, published: Published, iris_export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go_on = threading.Event(), threading.Event()
    connect = local.LocalTarget.connect

    def slow(target: Any) -> str:
        reached.set()
        assert go_on.wait(30)
        return connect(target)

    monkeypatch.setattr(local.LocalTarget, "connect", slow)
    form = open_form(["--model-dir", str(iris_export)])
    before = set(living)
    form.deploy()
    assert reached.wait(30)
    until(lambda: VIEW in published)  # the button
    assert set(living) <= before  # it was there before: one made by a click may be dead (see Form)
    [button] = [each for each in living.values() if getattr(each, "description", "") == "Stop"]
    assert published.all()[-1][VIEW]["model_id"] == button.model_id
    button.click()
    go_on.set()
    with pytest.raises(AipError, match="interrupted by the user"):
        form.wait(60)
    assert VIEW not in published


def test_background_deploy_stop_interrupts_the_next_event_and_no_other(published: Published) -> None:
    face = FormReporter(OutputSlots(1))
    face.emit(Heartbeat("wait"))
    face.stop()
    with pytest.raises(KeyboardInterrupt):
        face.emit(Heartbeat("wait"))
    face.emit(Detached("wait", "projects/p/operations/o", "%aip_attach o"))
    face.finish()
    assert "%aip_attach o" in published


def test_form_view_is_not_in_the_terminal(iris_export: Path) -> None:
    command = get_command("form")
    args = build_parser(command, "%aip_form").parse(["--model-dir", str(iris_export)])
    with pytest.raises(OptionError, match="needs a notebook"):
        command.run(args, None, Context(TerminalReporter(print, print, time.monotonic)))


def test_form_api_needs_a_kernel_and_knows_its_options(shell: Any, iris_export: Path) -> None:
    import aip_magics

    with pytest.raises(OptionError, match="needs a notebook"):
        aip_magics.aip_form(iris_export)


def test_form_browser_walks_local_directories(open_form: Open, iris_export: Path) -> None:
    form = open_form(["--model-dir", str(iris_export.parent)])
    browser = form.view.browser
    form.view.browse.click()
    browser.wait(10)
    assert ("iris/", str(iris_export)) in browser.folders.options
    browser.folders.value = str(iris_export)
    press(form, "Open")
    browser.wait(10)
    assert ("model.joblib", str(iris_export / "model.joblib")) in browser.folders.options
    press(form, "Up")
    browser.wait(10)
    browser.folders.value = str(iris_export)
    press(form, "Open")
    browser.wait(10)
    press(form, "Choose this directory")
    assert form.view.controls["origin"].value == str(iris_export)
    assert form.state.can_deploy
    assert browser.box.children == ()


def press(form: Form, name: str) -> None:
    [button] = [each for each in controls(form.view.box) if getattr(each, "description", "") == name]
    button.click()


def test_form_browser_walks_buckets(open_form: Open, iris_export: Path) -> None:
    deployed = open_form(["--model-dir", str(iris_export)])
    deployed.deploy()
    deployed.wait(120)
    form = open_form([])
    browser = form.view.browser
    form.view.browse.click()
    browser.wait(10)
    browser.where.value = BUCKETS
    assert "<progress" in browser.note.value or browser.folders.options
    browser.wait(30)
    for name in ("aip-local-aiplatform/", "iris/", "v1/"):
        browser.folders.value = dict(browser.folders.options)[name]
        press(form, "Open")
        browser.wait(30)
    assert [label for label, _ in browser.folders.options] == ["model.joblib"]
    press(form, "Choose this directory")
    assert form.view.controls["origin"].value == "gs://aip-local-aiplatform/iris/v1/"
    assert form.state.deployment.is_remote
    press_names = [each.description for each in controls(form.view.box) if isinstance(each, ipywidgets.Button)]
    assert "Open" not in press_names


def test_form_browser_tells_beside_the_list_what_cannot_be_listed(open_form: Open, tmp_path: Path) -> None:
    form = open_form([])
    browser = form.view.browser
    browser.open("")
    browser.open_listing(str(tmp_path / "gone"))
    browser.wait(10)
    assert "alert" in browser.note.value
    browser.open_listing("gs://no-such-bucket-here/")
    browser.wait(30)
    assert "alert" in browser.note.value


def test_file_listing_of_paths(tmp_path: Path) -> None:
    assert get_parent("gs://b/x/y/") == "gs://b/x/"
    assert get_parent("gs://b/") == get_parent(BUCKETS) == BUCKETS
    assert get_parent("/a/b") == "/a"
    assert get_start(str(tmp_path / "not" / "there")) == str(tmp_path)
    for name in (".hidden", "b.txt", "a"):
        (tmp_path / name).mkdir() if name == "a" else (tmp_path / name).write_text("")
    found = list_directory(str(tmp_path), None)  # type: ignore[arg-type]
    assert [entry.name for entry in found.entries] == ["a/", "b.txt"]
