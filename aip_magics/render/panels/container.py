"""The panels of an exported container, and of its probe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aip_magics.i18n import gettext as _
from aip_magics.i18n import ngettext
from aip_magics.render.blocks import Block, Code, Details, Mark, Panel, Tone, code, line, strong
from aip_magics.render.panels.predictions import predictions

if TYPE_CHECKING:
    from aip_magics.serving.export import Container
    from aip_magics.serving.probe import ProbeResult


def container(value: Container, *, max_rows: int | None = None) -> Panel:
    """Build the panel of an exported container: what it holds, and the two commands that build its image."""
    done = _("unchanged") if value.unchanged else _("created")
    # The server is the same in every container: its many files would bury the few that are the user's.
    own = [name for name in value.files if not name.startswith("server/")]
    shown = own if max_rows is None else own[:max_rows]
    server = len(value.files) - len(own)
    rest = [ngettext("server/ ({number} file)", "server/ ({number} files)", server)] if server else []
    blocks: list[Block] = [
        line(_("Container"), strong(str(value.directory)), Mark("good", done)),
        line(_("image:"), code(value.image)),
        line(_("Python {version}: {reason}", version=value.python, reason=value.reason)),
        line(_("files:"), code(", ".join([*shown, *(["…"] if len(shown) < len(own) else []), *rest]))),
        Details(_("requirements"), Code("\n".join(value.requirements))),
        line(_("to build the image with Docker, or with Cloud Build:")),
        Code(f"{value.docker_line}\n{value.gcloud_line}"),
    ]
    return Panel(_("container"), "good", tuple(blocks))


def probe(value: ProbeResult, *, max_rows: int | None = None) -> Panel:
    """Build the panel of the probe of a container."""
    mark = Mark("good", _("passed")) if value.passed else Mark("bad", _("failed"))
    blocks: list[Block] = [line(_("Container"), strong(str(value.directory)), mark)]
    if value.reason:
        blocks.append(line(value.reason))
    if value.ready_seconds is not None:
        blocks.append(line(_("ready after {seconds:.1f} s", seconds=value.ready_seconds)))
    blocks += [line(Mark("warn", note)) for note in value.notes]
    if value.answer is not None:
        blocks += predictions(value.answer, max_rows=max_rows).blocks
    if value.log:
        blocks.append(Details(_("log of the server"), Code(value.log)) if value.passed else Code(value.log))
    tone: Tone = "bad" if value.reason else "warn" if value.notes else "good"
    return Panel(_("container"), tone, tuple(blocks))
