"""The form as a browser draws it and a user fills it in: by mouse, by keyboard alone, by a Korean input method."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("playwright.sync_api", reason="needs aip-magics[browser]")

from contrast import too_faint
from notebook_page import NotebookPage
from playwright.sync_api import Locator, expect

LOAD = "%load_ext aip_magics"
FORM = "form = %aip_form --model {model} --model-dir models/iris"
WIDGET = "application/vnd.jupyter.widget-view+json"
SECRET = "t0p-s3cret-typed"
CONTROLS = ("textbox", "combobox", "checkbox", "button", "listbox", "spinbutton", "slider", "radio")
MOST_TABS = 60


def show(opened: NotebookPage, name: str, form: str, *cells: str) -> Locator:
    """Open a notebook and show the form of its second cell; returns its output."""
    opened.open(name, LOAD, form, *cells)
    opened.run(0)
    shown = opened.run(1)
    expect(shown.get_by_role("button", name="Deploy")).to_be_enabled()
    return shown


@pytest.mark.parametrize("opened", ["lab", "notebook7"], indirect=True)
def test_form_in_korean_deploys_and_is_saved_without_typed_values(opened: NotebookPage) -> None:
    said = "print(form.state.deployment.version.description)"
    tested = "print(form.result.state, form.result.description)"
    form = show(opened, "form.ipynb", FORM.format(model="flowers"), said, "busy = 6 * 7\nprint(busy)", tested)
    opened.shot("form", form)
    opened.compose(form.get_by_label("Description", exact=True))
    form.get_by_label("Test instances").fill(f"[[5.1, 3.5, 1.4, 0.2]] # {SECRET}")
    form.get_by_label("Test instances").blur()
    expect(form.locator("pre").first).to_contain_text("붓꽃")  # the preview follows
    expect(opened.run(2)).to_contain_text("붓꽃")
    form.get_by_role("button", name="Test").click()
    expect(form).to_contain_text("1 prediction", timeout=30_000)
    opened.shot("form-filled", form)
    form.get_by_role("button", name="Deploy").click()
    expect(form).to_contain_text("Deployed from a form")
    expect(opened.run(3)).to_contain_text("42")  # the kernel is free meanwhile
    expect(form).to_contain_text("READY", timeout=30_000)
    expect(form.locator(".widget-box, .jupyter-widgets")).to_have_count(0)
    expect(opened.run(4)).to_contain_text("READY 붓꽃")
    opened.shot("form-deployed", form)
    saved = opened.save()
    assert "붓꽃" in saved
    assert WIDGET not in saved
    assert [text for text in (SECRET, *opened.jupyter.secrets()) if text in saved] == []


def test_form_left_open_is_saved_without_typed_values(opened: NotebookPage) -> None:
    form = show(opened, "open-form.ipynb", FORM.format(model="unsaid"))
    form.get_by_label("Test instances").fill(f"[[1, 2, 3, 4]] # {SECRET}")
    form.get_by_label("Test instances").blur()
    expect(form.get_by_role("button", name="Test")).to_be_enabled()
    assert SECRET not in opened.save()
    form.get_by_role("button", name="Cancel").click()
    expect(form).to_contain_text("The form was closed")
    saved = opened.save()
    assert SECRET not in saved
    assert WIDGET not in saved


def test_form_shows_a_wrong_value_beside_its_field_and_stops_deploy(opened: NotebookPage) -> None:
    form = show(opened, "invalid.ipynb", FORM.format(model="valid"))
    deploy, name = form.get_by_role("button", name="Deploy"), form.get_by_label("Model name")
    name.fill("9 lives")
    name.press("Tab")
    expect(deploy).to_be_disabled()
    beside = form.locator(".widget-box").filter(has=opened.page.get_by_label("Model name")).last
    expect(beside.get_by_role("alert").first).to_contain_text("Error:")
    opened.shot("form-invalid", form)
    texts, faint = too_faint(beside)
    assert texts > 2
    assert faint == []
    name.fill("nine_lives")
    name.press("Tab")
    expect(beside.get_by_role("alert")).to_have_count(0)
    expect(deploy).to_be_enabled()


def test_form_browse_finds_a_local_model(opened: NotebookPage) -> None:
    chosen = "print(form.state.values['framework'], form.state.deployment.origin)"
    opened.open("browse.ipynb", LOAD, "form = %aip_form --model-dir models", chosen)
    opened.run(0)
    form = opened.run(1)
    expect(form.get_by_role("button", name="Deploy")).to_be_disabled()  # no model lies there
    form.get_by_role("button", name="Browse").click()
    folders = form.get_by_role("listbox", name="Directories")
    expect(folders.locator("option")).to_have_text(["iris/", "slow/"])
    folders.select_option("iris/")
    form.get_by_role("button", name="Open", exact=True).click()
    expect(folders.locator("option")).to_have_text(["model.joblib"])
    opened.shot("form-browse", form)
    form.get_by_role("button", name="Choose this directory").click()
    expect(folders).to_have_count(0)
    expect(form.get_by_label("Model URI")).to_have_value(str(opened.jupyter.directory / "models" / "iris"))
    expect(form.get_by_role("button", name="Deploy")).to_be_enabled()
    expect(opened.run(2)).to_contain_text("SCIKIT_LEARN")


def test_form_browse_finds_a_model_in_a_bucket(opened: NotebookPage) -> None:
    chosen = "print(form.state.deployment.origin)"
    opened.open("buckets.ipynb", LOAD, "%aip_deploy v1 --model kept --origin models/iris", "form = %aip_form", chosen)
    opened.run(0)
    opened.run(1)
    form = opened.run(2)
    form.get_by_role("button", name="Browse").click()
    form.get_by_label("Look in").select_option("buckets")
    folders = form.get_by_role("listbox", name="Directories")
    for name in ("aip-local-aiplatform/", "kept/", "v1/"):
        folders.select_option(name)
        form.get_by_role("button", name="Open", exact=True).click()
    expect(folders.locator("option")).to_have_text(["model.joblib"])
    opened.shot("form-browse-bucket", form)
    form.get_by_role("button", name="Choose this directory").click()
    expect(form.get_by_label("Model URI")).to_have_value("gs://aip-local-aiplatform/kept/v1/")
    expect(form.locator("pre").first).to_contain_text("--origin gs://aip-local-aiplatform/kept/v1/")
    expect(opened.run(3)).to_have_text("gs://aip-local-aiplatform/kept/v1/")


def test_form_sends_model_fields_and_request_logging_to_the_service(opened: NotebookPage) -> None:
    made = "%aip_describe --model told"
    form = show(opened, "told.ipynb", FORM.format(model="told"), made, "print(form.result.requestLoggingConfig)")
    opened.compose(form.get_by_label("Model description"))
    for name, text in (("Model labels", "team=a"), ("BigQuery table", "p.d.t"), ("Share of requests", "50")):
        form.get_by_label(name).fill(text)
        form.get_by_label(name).press("Tab")
    form.get_by_label("Log node output").check()
    share = form.get_by_label("Share of requests")
    beside = form.locator(".widget-box").filter(has=opened.page.get_by_label("Share of requests")).last
    expect(beside.get_by_role("alert")).to_contain_text("between 0 and 1")
    expect(form.get_by_role("button", name="Deploy")).to_be_disabled()
    share.fill("0.5")
    share.press("Tab")
    expect(beside.get_by_role("alert")).to_have_count(0)
    opened.shot("form-model-fields", form)
    preview = form.locator("pre").first
    for kind, texts in {
        "gcloud": ("--enable-console-logging", "--labels=team=a"),
        "curl": ('"onlinePredictionConsoleLogging": true', "updateMask=requestLoggingConfig"),
        "Python": ("'onlinePredictionConsoleLogging': True", "'bigqueryTableName': 'p.d.t'"),
        "cell": ("--enable-console-logging", "description: 붓꽃"),
    }.items():
        form.get_by_label("Show as").select_option(kind)
        for text in ("붓꽃", *texts):
            expect(preview).to_contain_text(text)
    form.get_by_role("button", name="Deploy").click()
    expect(form).to_contain_text("READY", timeout=30_000)
    expect(opened.run(2)).to_contain_text("description: 붓꽃")
    expect(opened.output(2)).to_contain_text("onlinePredictionConsoleLogging: true")
    expect(opened.run(3)).to_contain_text("bigqueryTableName='p.d.t', samplingPercentage=0.5")


def test_form_stop_leaves_a_deploy_whose_operation_goes_on(opened: NotebookPage) -> None:
    slow = "form = %aip_form --model halted --model-dir models/slow --trust"
    form = show(opened, "stop.ipynb", slow, "print(form.wait())", "found = %aip_attach\nprint(found.state)")
    form.get_by_role("button", name="Deploy").click()
    expect(form).to_contain_text("Wait for the operation", timeout=30_000)
    stop = form.get_by_role("button", name="Stop")
    opened.shot("form-deploying", form)
    stop.click()
    expect(form.locator("code", has_text="%aip_attach")).to_be_visible()
    expect(stop).to_have_count(0)
    opened.shot("form-stopped", form)
    expect(opened.run(2)).to_contain_text("None")
    assert WIDGET not in opened.save()
    expect(opened.run(3)).to_contain_text("READY")  # the operation went on, and is found


def test_form_and_panel_speak_korean(opened: NotebookPage) -> None:
    speak = "import os\nos.environ['AIP_MAGICS_LANG'] = 'ko'\n%load_ext aip_magics"
    opened.open("korean.ipynb", speak, FORM.format(model="hangul"))
    opened.run(0)
    form = opened.run(1)
    deploy, name = form.get_by_role("button", name="배포"), form.get_by_label("모델 이름")
    expect(deploy).to_be_enabled()
    name.fill("9 lives")
    name.press("Tab")
    expect(form.get_by_role("alert").first).to_contain_text("오류")
    opened.shot("form-korean", form)
    name.fill("hangul")
    name.press("Tab")
    expect(deploy).to_be_enabled()
    form.get_by_label("테스트 인스턴스").fill("[[5.1, 3.5, 1.4, 0.2]]")
    form.get_by_label("테스트 인스턴스").blur()
    deploy.click()
    expect(form).to_contain_text("양식에서 배포")
    expect(form).to_contain_text("READY", timeout=30_000)
    opened.shot("form-korean-deployed", form)
    shown = form.inner_text()
    said = re.findall(
        r"\b(?:Inspect|Run preflight|Connect|Upload|Describe|Wait for|skipped|predictions?|Field|Source)\b", shown
    )
    assert said == [], shown


def test_form_is_filled_in_and_deploys_by_keyboard_alone(opened: NotebookPage) -> None:
    form = show(opened, "keyboard.ipynb", FORM.format(model="typed"))
    form.get_by_label("Model name").focus()
    reached = []
    for _ in range(MOST_TABS):
        opened.page.keyboard.press("Tab")
        reached.append(_focused(opened))
        if reached[-1] == "Description":
            opened.page.keyboard.type("by keys")
        if reached[-1] == "Deploy":
            break
    assert reached[-1] == "Deploy", reached
    assert {"Region", "Version name", "Browse", "Model URI", "Labels", "Test instances"} <= set(reached)
    opened.page.keyboard.press("Enter")
    expect(form).to_contain_text("Deployed from a form")
    expect(form).to_contain_text("by keys")
    expect(form).to_contain_text("READY", timeout=30_000)


def test_form_controls_have_names_and_legible_texts(opened: NotebookPage) -> None:
    form = show(opened, "names.ipynb", FORM.format(model="named"))
    form.get_by_role("button", name="Browse").click()
    expect(form.get_by_role("listbox", name="Directories").locator("option")).not_to_have_count(0)
    tree = form.aria_snapshot()
    controls = re.findall(rf"- '?({'|'.join(CONTROLS)})\b(.*)", tree)
    assert len(controls) > 25, tree
    assert [kind + rest for kind, rest in controls if not re.match(r' "[^"]+"', rest)] == []
    texts, faint = 0, []
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        opened.theme(theme)
        found, bad = too_faint(form)
        texts, faint = texts + found, faint + [f"{theme}: {each}" for each in bad]
    opened.shot("form-dark", form)
    opened.theme("JupyterLab Light")
    assert texts > 100
    assert faint == []


def _focused(opened: NotebookPage) -> str:
    """The name of the control that has the focus."""
    return str(
        opened.page.evaluate(
            "() => { const at = document.activeElement; return (at.labels?.[0] ?? at).textContent.trim() }"
        )
    )


def test_form_with_target_vertex_rehearses_on_the_embedded_server(opened: NotebookPage) -> None:
    tested = "print(form.result.state, form.result.modelVersion)"
    form = show(opened, "vertex.ipynb", FORM.format(model="petals"), tested)
    runtime, region = form.get_by_label("Runtime version"), form.get_by_label("Region")
    expect(runtime).to_be_enabled()
    form.get_by_label("Target").select_option("vertex")
    # The fields follow: a project is required, the regions are Vertex AI's, and runtime versions are off with a reason.
    project = form.locator(".widget-box").filter(has=opened.page.get_by_label("Project")).last
    expect(project.get_by_role("alert")).to_contain_text("no project is set")
    expect(form.get_by_role("button", name="Deploy")).to_be_disabled()
    expect(region.locator("option", has_text="europe-west12")).to_have_count(1)
    expect(runtime).to_be_disabled()
    beside = form.locator(".widget-box").filter(has=opened.page.get_by_label("Runtime version")).last
    expect(beside).to_contain_text("Vertex AI serves a version with the libraries of its image")
    opened.shot("form-vertex", form)
    form.get_by_label("Project").fill("my-project")
    form.get_by_label("Project").press("Tab")
    expect(project.get_by_role("alert")).to_have_count(0)
    form.get_by_label("Endpoint").select_option("the embedded server, as a rehearsal")
    region.select_option("europe-west4")
    preview = form.locator("pre").first
    for kind, text in {
        "cell": "--target vertex --project my-project --endpoint local --region europe-west4",
        "gcloud": "gcloud ai endpoints deploy-model petals",
        "curl": "locations/europe-west4/endpoints/petals:deployModel",
        "Python": '"aiplatform", "v1"',
    }.items():
        form.get_by_label("Show as").select_option(kind)
        expect(preview).to_contain_text(text)
    form.get_by_role("button", name="Deploy").click()
    expect(form).to_contain_text("READY", timeout=60_000)
    opened.shot("form-vertex-deployed", form)
    expect(opened.run(2)).to_contain_text("READY projects/my-project/locations/europe-west4/models/petals@1")
