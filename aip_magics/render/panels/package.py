"""The panel of a source distribution: its path, its importable names, and the option that deploys it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from aip_magics.i18n import gettext as _
from aip_magics.render.blocks import Block, Mark, Panel, code, line, strong

if TYPE_CHECKING:
    from aip_magics.sdist import Package


class PickledFromMain(Protocol):
    """The part of `commands.package.PickledFromMain` that is shown; `render` must not import `commands`."""

    @property
    def file(self) -> Any: ...
    @property
    def names(self) -> Sequence[str]: ...
    @property
    def complete(self) -> bool: ...
    @property
    def advice(self) -> str: ...


def package(value: Package) -> Panel:
    """Build the panel of a created package."""
    blocks: list[Block] = [
        line(_("Package"), strong(f"{value.name} {value.version}"), Mark("good", _("created"))),
        line(_("file:"), code(str(value.path))),
        line(_("importable names:"), code(", ".join(value.modules))),
        *(line(Mark("warn", note)) for note in value.notes),
        line(_("to deploy the package:"), code(f"--package-uris {shlex.quote(str(value.path))}")),
    ]
    return Panel(_("package"), "warn" if value.notes else "good", tuple(blocks))


def pickled_from_main(value: PickledFromMain) -> Panel:
    """Build the panel of the classes and functions that a model references in the notebook."""
    known = bool(value.names) or not value.complete
    names = [line(_("defined in the notebook (__main__):"), code(", ".join(value.names)))] if value.names else []
    head = line(_("Model file"), code(str(value.file)))
    advice = line(Mark("warn" if known else "good", value.advice))
    return Panel(_("model file"), "warn" if known else "good", (head, *names, advice))
