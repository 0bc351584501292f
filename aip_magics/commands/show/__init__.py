"""`--show gcloud|curl|python` and `--dry-run`: what would be sent, as lines that can be run, or as the requests."""

from aip_magics.commands.common.options import add_dry_run
from aip_magics.commands.show.planned_calls import (
    Download,
    MakeBucket,
    PlannedCall,
    Sync,
    Upload,
    Wait,
    deployment_calls,
    render_script,
)
from aip_magics.commands.show.preview import DryRun, preview

__all__ = [
    "Download",
    "DryRun",
    "MakeBucket",
    "PlannedCall",
    "Sync",
    "Upload",
    "Wait",
    "add_dry_run",
    "deployment_calls",
    "preview",
    "render_script",
]
