"""A package of own code: where it lies, what can be imported from it, and the option that takes it along."""

from __future__ import annotations

import shlex

from aip_magics.i18n import gettext as _
from aip_magics.render.blocks import Block, Mark, Panel, code, line, strong
from aip_magics.render.shapes import OfMain, Package


def package(value: Package) -> Panel:
    """The panel of a package that was made."""
    blocks: list[Block] = [
        line(_("Package"), strong(f"{value.name} {value.version}"), Mark("good", _("made"))),
        line(_("file:"), code(str(value.path))),
        line(_("can be imported:"), code(", ".join(value.modules))),
        *(line(Mark("warn", note)) for note in value.notes),
        line(_("deploy with it:"), code(f"--package-uris {shlex.quote(str(value.path))}")),
    ]
    return Panel(_("package"), "warn" if value.notes else "good", tuple(blocks))


def of_main(value: OfMain) -> Panel:
    """The panel of what a model has of a notebook, where nothing was packaged."""
    known = bool(value.names) or not value.complete
    names = [line(_("of the notebook (__main__):"), code(", ".join(value.names)))] if value.names else []
    head = line(_("Model file"), code(str(value.file)))
    advice = line(Mark("warn" if known else "good", value.advice))
    return Panel(_("model file"), "warn" if known else "good", (head, *names, advice))
