"""A notebook that is open in a browser: cells are run by the keyboard, outputs are looked at as they are drawn."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jupyter_app import Jupyter
from playwright.sync_api import Locator, Page, expect

CURRENT = "window.jupyterapp?.shell.currentWidget"
IDLE = f"() => {CURRENT}?.sessionContext?.session?.kernel?.status === 'idle'"
LOADING = 60_000  # milliseconds
CELL = 60_000
# As a Korean keyboard composes 붓꽃: the syllables arrive in pieces, and only the last one of each is meant.
IRIS = (("ㅂ", "부", "붓"), ("ㄲ", "꼬", "꽃"))


class NotebookPage:
    """One notebook in one tab."""

    def __init__(self, page: Page, jupyter: Jupyter, shots: Path) -> None:
        self.page = page
        self.jupyter = jupyter
        self.name = ""
        self._shots = shots

    def open(self, name: str, *cells: str) -> None:
        """Write a notebook of these cells and open it; returns when its kernel is ready."""
        self.jupyter.write(name, *cells)
        self.goto(name)
        self.page.wait_for_function(IDLE, timeout=LOADING)

    def goto(self, name: str) -> None:
        """Open a notebook that is there."""
        self.name = name
        self.page.goto(self.jupyter.address(name))
        expect(self.page.locator(".jp-Notebook .jp-Cell").first).to_be_visible(timeout=LOADING)

    def cell(self, index: int) -> Locator:
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index)

    def output(self, index: int) -> Locator:
        return self.cell(index).locator(".jp-OutputArea").first

    def start(self, index: int) -> None:
        """Run a cell as a user does, and leave it running."""
        self.cell(index).locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")

    def run(self, index: int, *, ms: int = CELL) -> Locator:
        """Run a cell to its end; returns its output."""
        self.start(index)
        self.wait(index, ms=ms)
        return self.output(index)

    def wait(self, index: int, *, ms: int = CELL) -> None:
        expect(self.cell(index).locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]"), timeout=ms)

    def press(self, tooltip: str) -> None:
        """Press a button of the notebook's toolbar."""
        self.page.get_by_role("button", name=re.compile(tooltip)).first.click()

    def interrupt(self) -> None:
        self.press("Interrupt the kernel")

    def restart(self) -> None:
        """Restart the kernel, as the toolbar does; returns when the new one is ready."""
        self.press("Restart the kernel")
        self.page.locator(".jp-Dialog").get_by_role("button", name="Confirm Kernel Restart").click()
        self.page.wait_for_function(f"() => {CURRENT}.sessionContext.session.kernel.status !== 'idle'")
        self.page.wait_for_function(IDLE, timeout=LOADING)

    def save(self) -> str:
        """Save the notebook; returns the file as it was written."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        return (self.jupyter.directory / self.name).read_text(encoding="utf-8")

    def theme(self, name: str) -> None:
        """`JupyterLab Light` or `JupyterLab Dark`."""
        self.page.evaluate("name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})", name)
        light = "true" if name.endswith("Light") else "false"
        expect(self.page.locator("body")).to_have_attribute("data-jp-theme-light", light)

    def compose(self, field: Locator, word: tuple[tuple[str, ...], ...] = IRIS) -> None:
        """Type a word as an input method does: each syllable is composed of its letters, then put in."""
        field.click()
        browser: Any = self.page.context.new_cdp_session(self.page)
        for syllable in word:
            for piece in syllable:
                at = {"selectionStart": len(piece), "selectionEnd": len(piece)}
                browser.send("Input.imeSetComposition", {"text": piece, **at})
            browser.send("Input.insertText", {"text": syllable[-1]})
        browser.detach()

    def shot(self, name: str, what: Locator | None = None) -> None:
        """Keep a picture of the page, or of a part of it."""
        path = self._shots / f"{self.jupyter.app}-{name}.png"
        (what or self.page).screenshot(path=path)
