"""Render planned calls as a script: lines for a shell (gcloud, curl) or a Python program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aip_magics.commands.common.options import ScriptFormat
    from aip_magics.commands.show.planned_calls import PlannedCall
    from aip_magics.targets import Target


def render_script(script_format: ScriptFormat, calls: Sequence[PlannedCall], target: Target) -> str:
    """Render calls as a script that sends the same. The script never contains the access token."""
    from aip_magics.commands.show import curl, gcloud, python  # only for `--show`

    writers = {"gcloud": gcloud.lines, "curl": curl.lines, "python": python.lines}
    return "\n".join(writers[script_format](calls, target))
