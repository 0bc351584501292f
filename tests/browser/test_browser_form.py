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
def test_filled_in_korean_deployed_and_saved_without_what_was_typed(opened: NotebookPage) -> None:
    said = "print(form.state.deployment.version.description)"
    tested = "print(form.result.state, form.result.description)"
    form = show(opened, "form.ipynb", FORM.format(model="flowers"), said, "busy = 6 * 7\nprint(busy)", tested)
    opened.shot("form", form)
    opened.compose(form.get_by_label("Description"))
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


def test_an_open_form_is_saved_without_what_was_typed(opened: NotebookPage) -> None:
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


def test_a_wrong_value_is_told_beside_its_field_and_stops_deploy(opened: NotebookPage) -> None:
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


def test_browse_finds_a_local_model(opened: NotebookPage) -> None:
    chosen = "print(form.state.values['framework'], form.state.deployment.origin)"
    opened.open("browse.ipynb", LOAD, "form = %aip_form --model-dir models", chosen)
    opened.run(0)
    form = opened.run(1)
    expect(form.get_by_role("button", name="Deploy")).to_be_disabled()  # no model lies there
    form.get_by_role("button", name="Browse").click()
    folders = form.get_by_role("listbox", name="Folders")
    expect(folders.locator("option")).to_have_text(["iris/", "slow/"])
    folders.select_option("iris/")
    form.get_by_role("button", name="Open", exact=True).click()
    expect(folders.locator("option")).to_have_text(["model.joblib"])
    opened.shot("form-browse", form)
    form.get_by_role("button", name="Choose this folder").click()
    expect(folders).to_have_count(0)
    expect(form.get_by_label("Model URI")).to_have_value(str(opened.jupyter.directory / "models" / "iris"))
    expect(form.get_by_role("button", name="Deploy")).to_be_enabled()
    expect(opened.run(2)).to_contain_text("SCIKIT_LEARN")


def test_the_keyboard_alone_fills_in_and_deploys(opened: NotebookPage) -> None:
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


def test_every_control_has_a_name_and_every_text_can_be_read(opened: NotebookPage) -> None:
    form = show(opened, "names.ipynb", FORM.format(model="named"))
    form.get_by_role("button", name="Browse").click()
    expect(form.get_by_role("listbox", name="Folders").locator("option")).not_to_have_count(0)
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
