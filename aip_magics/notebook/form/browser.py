"""Browse: looking for the model's directory, here or in Cloud Storage, without leaving the form."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from aip_magics.errors import AipError
from aip_magics.i18n import gettext as _
from aip_magics.notebook.form import file_listing, markup
from aip_magics.notebook.form.file_listing import BUCKETS, DirectoryListing
from aip_magics.notebook.form.widgets import WidgetFactory
from aip_magics.targets import Target

LOCAL = "local"


class Browser:
    """The controls of Browse. `choose` is called with the place that was chosen.

    A listing is read in a thread: a bucket may be far away, and the form stays usable meanwhile.
    """

    def __init__(self, kit: WidgetFactory, target: Callable[[], Target], choose: Callable[[str], None]) -> None:
        self._target = target
        self._choose = choose
        self._place = ""
        self._asked = 0  # counts what was asked for, so that a late answer to an earlier question is not shown
        self._thread: threading.Thread | None = None
        self.where = kit.dropdown(_("Look in"), [(_("local directories"), LOCAL), (_("buckets"), BUCKETS)])
        self.folders = kit.list(_("Folders"))
        self.note = kit.note()
        self._buttons = (
            kit.button(_("Open"), self._open_selected),
            kit.button(_("Up"), lambda: self.look(file_listing.above(self._place))),
            kit.button(_("Choose this folder"), lambda: self._chosen(self._place)),
            kit.button(_("Close the list"), self.close),
        )
        self._children = (self.where, kit.row(self.folders, self.note), kit.row(*self._buttons))
        self.box = kit.column()
        self.where.observe(self._moved, names="value")

    def open(self, origin: str) -> None:
        """Show the controls, and what lies around this origin."""
        self.box.children = self._children
        self.look(file_listing.start(origin))

    def close(self) -> None:
        """Put the controls away."""
        self._asked += 1
        self.box.children = ()

    def look(self, place: str) -> None:
        """List this place; returns at once."""
        self._asked += 1
        self._place = place
        self.note.value = markup.busy(_("looking into {place} …", place=place))
        target = self._target()
        self._thread = threading.Thread(
            target=self._list, args=(place, self._asked, target), name="aip_magics browse", daemon=True
        )
        self._thread.start()

    def wait(self, seconds: float | None = None) -> None:
        """Wait until the listing is there."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _list(self, place: str, asked: int, target: Target) -> None:
        try:
            found = file_listing.listing(place, target)
        except AipError as error:
            if asked == self._asked:
                self.note.value = markup.error(error)
            return
        if asked == self._asked:
            self._show(found)

    def _show(self, found: DirectoryListing) -> None:
        self._place = found.place
        self.folders.options = [(entry.name, entry.place) for entry in found.entries]
        more = _(" (the first {count})", count=len(found.entries)) if found.more else ""
        self.note.value = markup.note(found.place + more)

    def _open_selected(self) -> None:
        label, place = self.folders.label, self.folders.value
        if place is None:
            return
        if label.endswith("/"):
            self.look(place)
        else:  # a file stands for the directory it lies in
            self._chosen(self._place)

    def _chosen(self, place: str) -> None:
        if place == BUCKETS:
            self.note.value = markup.note(_("open a bucket first"))
            return
        self.close()
        self._choose(place)

    def _moved(self, change: Any) -> None:
        if (change["new"] == BUCKETS) != self._place.startswith(BUCKETS):
            self.look(BUCKETS if change["new"] == BUCKETS else file_listing.start(""))
