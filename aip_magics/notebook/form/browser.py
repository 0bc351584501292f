"""Browse: choose the model directory in the local file system or in Cloud Storage."""

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
    """The controls of Browse. `on_choose` is called with the chosen directory.

    A thread reads each listing, so that the form stays usable during slow requests.
    """

    def __init__(self, kit: WidgetFactory, target: Callable[[], Target], on_choose: Callable[[str], None]) -> None:
        self._target = target
        self._on_choose = on_choose
        self._uri = ""
        self._request_number = 0  # so that a late result of an earlier request is ignored
        self._thread: threading.Thread | None = None
        self.where = kit.dropdown(_("Look in"), [(_("local directories"), LOCAL), (_("buckets"), BUCKETS)])
        self.folders = kit.list(_("Directories"))
        self.note = kit.note()
        self._buttons = (
            kit.button(_("Open"), self._open_selected),
            kit.button(_("Up"), lambda: self.open_listing(file_listing.get_parent(self._uri))),
            kit.button(_("Choose this directory"), lambda: self._select(self._uri)),
            kit.button(_("Close the list"), self.close),
        )
        self._children = (self.where, kit.row(self.folders, self.note), kit.row(*self._buttons))
        self.box = kit.column()
        self.where.observe(self._on_source_change, names="value")

    def open(self, origin: str) -> None:
        """Show the controls and the directory of this origin."""
        self.box.children = self._children
        self.open_listing(file_listing.get_start(origin))

    def close(self) -> None:
        """Hide the controls."""
        self._request_number += 1
        self.box.children = ()

    def open_listing(self, uri: str) -> None:
        """Start to list a directory or bucket, in a thread."""
        self._request_number += 1
        self._uri = uri
        self.note.value = markup.busy(_("listing {place} …", place=uri))
        target = self._target()
        self._thread = threading.Thread(
            target=self._list, args=(uri, self._request_number, target), name="aip_magics browse", daemon=True
        )
        self._thread.start()

    def wait(self, seconds: float | None = None) -> None:
        """Wait until the listing is shown."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _list(self, uri: str, request_number: int, target: Target) -> None:
        try:
            found = file_listing.list_directory(uri, target)
        except AipError as error:
            if request_number == self._request_number:
                self.note.value = markup.error(error)
            return
        if request_number == self._request_number:
            self._show(found)

    def _show(self, found: DirectoryListing) -> None:
        self._uri = found.uri
        self.folders.options = [(entry.name, entry.uri) for entry in found.entries]
        shown = _("{place} (the first {count})", place=found.uri, count=len(found.entries))
        self.note.value = markup.note(shown if found.more else found.uri)

    def _open_selected(self) -> None:
        label, uri = self.folders.label, self.folders.value
        if uri is None:
            return
        if label.endswith("/"):
            self.open_listing(uri)
        else:  # a file selects the listed directory
            self._select(self._uri)

    def _select(self, uri: str) -> None:
        if uri == BUCKETS:
            self.note.value = markup.note(_("open a bucket first"))
            return
        self.close()
        self._on_choose(uri)

    def _on_source_change(self, change: Any) -> None:
        if (change["new"] == BUCKETS) != self._uri.startswith(BUCKETS):
            self.open_listing(BUCKETS if change["new"] == BUCKETS else file_listing.get_start(""))
