"""The panel of an error: what, where and how to fix it; and its attachments (findings, the log of the model)."""

from __future__ import annotations

from aip_magics.errors import AipError, ChecksFailed, OperationFailed, PredictionError
from aip_magics.i18n import gettext as _
from aip_magics.render.blocks import Block, Code, Details, Mark, Panel, line, strong
from aip_magics.render.panels.findings import finding_blocks

MAX_LOG_LINES = 40


def error(value: AipError) -> Panel:
    """Build the panel of an error."""
    return Panel(_("error"), "bad", error_blocks(value))


def error_blocks(value: AipError) -> tuple[Block, ...]:
    """Build the blocks of an error."""
    first, *more = value.full_message.splitlines() or [""]
    if isinstance(value, ChecksFailed) and value.findings:  # each finding has its own place and fix
        return (line(Mark("bad", "ChecksFailed:"), strong(first)), *finding_blocks(value.findings))
    blocks: list[Block] = [line(Mark("bad", f"{type(value).__name__}:"), strong(first))]
    blocks += [Code("\n".join(more))] if more else []
    blocks += [line(_("where:"), value.where)] if value.where else []
    blocks += [line(_("fix:"), value.fix)] if value.fix else []
    return (*blocks, *_attachments(value))


def _attachments(value: AipError) -> tuple[Block, ...]:
    if isinstance(value, OperationFailed):
        name = getattr(value.operation, "name", None)
        return (line(_("operation:"), name),) if name else ()
    if isinstance(value, PredictionError) and value.log.strip():
        lines = value.log.strip("\n").splitlines()
        shown = Code("\n".join(lines[-MAX_LOG_LINES:]))
        return (Details(_log_title(len(lines)), shown),)
    return ()


def _log_title(lines: int) -> str:
    if lines <= MAX_LOG_LINES:
        return _("Output of the model")
    return _("Output of the model, last {shown} of {lines} lines", shown=MAX_LOG_LINES, lines=lines)
