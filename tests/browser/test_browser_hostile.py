"""Panels of values that were made to run script: it is text, in JupyterLab, saved, and opened again trusted or not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="needs aip-magics[browser]")

from notebook_page import NotebookPage
from playwright.sync_api import expect
from test_browser_panels import _reopen_elsewhere

SAMPLES = Path(__file__).parents[1] / "render"
ATTACKS = [
    "<img src=x onerror=window.hit=1>",
    "</script><script>window.hit=2</script>",
    "javascript:window.hit=3",
    '"><svg onload=window.hit=4>',
    "'><iframe srcdoc='<script>parent.hit=5</script>'>",
    "</pre></td></table><details open ontoggle=window.hit=6>",
    "[x](javascript:window.hit=7)",
    "\x1b[31m\u202e<b onmouseover=window.hit=8>",
]
KINDS = [
    "error", "prediction error", "findings", "failed run", "version", "versions", "predictions", "upload plan",
    "pull plan", "plan", "history", "configuration", "package", "comparison", "of main", "other",
]  # fmt: skip
SHOW = """
import sys; sys.path.insert(0, {samples!r})
import render_samples
from aip_magics.notebook.reporter import mime_bundle as bundle, publish
for kind in {kinds!r}:
    for attack in {attacks!r}:
        publish(bundle(render_samples.MAKERS[kind](attack, 2)))
print("shown", "all")
"""
FORM = "%aip_form --model-dir '<img src=x onerror=window.hit=9>' --model '\"><svg onload=window.hit=10>'"
WANTED = "script, img, iframe, svg[onload], [onerror], [onload], [ontoggle], [onmouseover]"
LOOK = """wanted => {
  const areas = [...document.querySelectorAll('.jp-OutputArea-output')];
  const bad = areas.flatMap(area => [...area.querySelectorAll(wanted)]);
  const links = areas.flatMap(area => [...area.querySelectorAll('a')]).map(a => a.getAttribute('href') || '');
  return {hit: window.hit ?? null, bad: bad.map(one => one.outerHTML.slice(0, 200)),
          links: links.filter(link => !link.startsWith('https://') && !link.startsWith('#'))};
}"""


def look(opened: NotebookPage) -> None:
    """Nothing ran, and nothing that could is there."""
    opened.page.wait_for_timeout(300)
    assert opened.page.evaluate(LOOK, WANTED) == {"hit": None, "bad": [], "links": []}


def test_panels_run_nothing_that_a_value_contains(opened: NotebookPage) -> None:
    # JupyterLab draws the first 50 outputs of a cell.
    cells = [
        SHOW.format(samples=str(SAMPLES), attacks=ATTACKS, kinds=KINDS[at : at + 5]) for at in range(0, len(KINDS), 5)
    ]
    opened.open("hostile.ipynb", "%load_ext aip_magics", *cells)
    opened.run(0)
    for index in range(1, len(cells) + 1):
        expect(opened.run(index)).to_contain_text("shown all")
    look(opened)
    expect(opened.output(1)).to_contain_text("onerror=window.hit=1")  # it is there, as text
    saved = _html_of(opened.save())
    assert "window.hit=1" in saved
    assert "<script" not in saved
    assert "<img" not in saved
    opened.goto("hostile.ipynb")  # run here: trusted
    expect(opened.output(1)).to_contain_text("onerror=window.hit=1")
    look(opened)
    _reopen_elsewhere(opened)
    expect(opened.output(1)).to_contain_text("onerror=window.hit=1")
    look(opened)


def test_form_fields_and_summary_run_nothing_they_are_given(opened: NotebookPage) -> None:
    opened.open("hostile-form.ipynb", "%load_ext aip_magics", FORM)
    opened.run(0)
    opened.run(1)
    look(opened)
    for field in opened.output(1).locator("input[type=text], textarea").all():
        if field.is_visible() and field.is_enabled():
            field.fill('"><img src=x onerror=window.hit=11>')
            field.press("Tab")
    opened.page.wait_for_timeout(1000)
    look(opened)
    opened.save()
    opened.goto("hostile-form.ipynb")
    look(opened)


def _html_of(saved: str) -> str:
    outputs = [output for cell in json.loads(saved)["cells"] for output in cell.get("outputs", [])]
    return "\n".join("".join(output.get("data", {}).get("text/html", "")) for output in outputs)
