"""Panels as a browser draws them: while they are made, in both themes, and after the kernel is gone."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("playwright.sync_api", reason="needs aip-magics[browser]")

from contrast import too_faint
from notebook_page import CURRENT, NotebookPage
from playwright.sync_api import expect

LOAD = "%load_ext aip_magics"
WIDGET = "application/vnd.jupyter.widget-view+json"
DEPLOY = "%%aip_deploy --model {model} --origin models/iris\ntest:\n  instances:\n  - [5.1, 3.5, 1.4, 0.2]"
SLOW = "{name} = %aip_deploy --model {name} --origin models/slow --trust {flags}"


@pytest.mark.parametrize("opened", ["lab", "notebook7"], indirect=True)
def test_panels_of_a_deploy_cell_last(opened: NotebookPage) -> None:
    model = "lasting"
    cells = [
        LOAD,
        DEPLOY.format(model=model),
        f"%aip_describe v1 --model {model}",
        f"%%aip_predict --model {model}\n- [5.1, 3.5, 1.4, 0.2]",
        "%aip_deploy --origin nowhere",
    ]
    opened.open("deploy.ipynb", *cells)
    opened.run(0)
    expect(opened.run(1)).to_contain_text("READY")
    expect(opened.run(2)).to_contain_text("deploymentUri")
    expect(opened.run(3)).to_contain_text("1 prediction")
    expect(opened.run(4)).to_contain_text("ModelDirError")
    opened.shot("deployed")

    texts, faint = 0, []
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        opened.theme(theme)
        for index in (1, 2, 3):
            found, bad = too_faint(opened.output(index))
            texts, faint = texts + found, faint + [f"{theme}: {each}" for each in bad]
    opened.shot("deployed-dark")
    assert texts > 60
    assert faint == []
    opened.theme("JupyterLab Light")

    saved = opened.save()
    assert WIDGET not in saved
    assert [secret for secret in opened.jupyter.secrets() if secret in saved] == []
    _reopen_elsewhere(opened)
    for index, text in ((1, "READY"), (2, "deploymentUri"), (3, "1 prediction"), (4, "ModelDirError")):
        expect(opened.output(index)).to_contain_text(text)
    expect(opened.output(1).locator("table").first).to_be_visible()
    assert [too_faint(opened.output(index))[1] for index in (1, 2, 3)] == [[], [], []]
    opened.shot("reopened-untrusted")


def _reopen_elsewhere(opened: NotebookPage) -> None:
    """Open the saved file as somebody else's: not trusted, and without a kernel."""
    saved = opened.jupyter.read(opened.name)
    saved.metadata.kernelspec = {"name": "gone", "display_name": "gone", "language": "gone"}
    saved.metadata.pop("language_info", None)  # else a kernel of the same language is taken
    name = f"other-{opened.name}"
    opened.jupyter.rewrite(name, saved)
    opened.goto(name)
    dialog = opened.page.locator(".jp-Dialog")
    dialog.get_by_role("button", name=re.compile("No Kernel")).click()
    expect(dialog).to_have_count(0)
    trusted = opened.page.evaluate(f"() => [...{CURRENT}.content.model.cells].map(cell => cell.trusted)")
    assert trusted == [False] * len(saved.cells)
    assert opened.page.evaluate(f"() => {CURRENT}.sessionContext.session?.kernel ?? null") is None


def test_panels_go_on_while_cells_run_and_are_found_after_a_restart(opened: NotebookPage) -> None:
    attach = "version = %aip_attach\nprint(version.state)"
    cells = [LOAD, SLOW.format(name="slow", flags="--async"), "print('the kernel', 'is free')", LOAD, attach]
    opened.open("attach.ipynb", *cells)
    opened.run(0)
    panel = opened.run(1)
    expect(panel).to_contain_text("is still running")
    expect(opened.run(2)).to_contain_text("the kernel is free")
    expect(panel).not_to_contain_text("done: ")
    opened.shot("while-another-cell-ran")
    before = panel.inner_text()
    expect(panel).not_to_have_text(before, use_inner_text=True)  # the time goes on
    opened.restart()
    opened.run(3)
    expect(opened.run(4)).to_contain_text("READY")
    opened.shot("attached")


def test_panels_of_an_asynchronous_deploy_end_by_themselves(opened: NotebookPage) -> None:
    opened.open("async.ipynb", LOAD, SLOW.format(name="later", flags="--async"), "1 + 1")
    opened.run(0)
    panel = opened.run(1)
    expect(opened.run(2)).to_contain_text("2")
    expect(panel).to_contain_text("done: ", timeout=20_000)
    saved = opened.save()
    assert "done: " in saved
    assert WIDGET not in saved


def test_panels_say_how_to_attach_after_an_interrupt(opened: NotebookPage) -> None:
    opened.open("interrupt.ipynb", LOAD, SLOW.format(name="stopped", flags=""), "print(stopped.done)", "%aip_attach")
    opened.run(0)
    opened.start(1)
    panel = opened.output(1)
    expect(panel).to_contain_text("Wait for the operation", timeout=30_000)
    opened.interrupt()
    opened.wait(1)
    line = re.compile(r"^%aip_attach projects/aip-local/operations/create_stopped_v1-\d+$")  # all of it
    expect(panel.locator("code").last).to_have_text(line)
    expect(panel).not_to_contain_text("KeyboardInterrupt")
    opened.shot("detached")
    expect(opened.run(2)).to_contain_text("None")
    expect(opened.run(3)).to_contain_text("READY")
