"""`--show gcloud|curl|python` and `--dry-run`: show a command's calls as a script or as requests, and send nothing."""

from aip_magics.client import Wait
from aip_magics.commands.common.options import add_dry_run
from aip_magics.commands.show.planned_calls import (
    Download,
    MakeBucket,
    PlannedCall,
    Remove,
    Sync,
    Upload,
    deployment_calls,
)
from aip_magics.commands.show.preview import DryRun, preview
from aip_magics.commands.show.script import render_script

__all__ = [
    "Download",
    "DryRun",
    "MakeBucket",
    "PlannedCall",
    "Remove",
    "Sync",
    "Upload",
    "Wait",
    "add_dry_run",
    "deployment_calls",
    "preview",
    "render_script",
]
