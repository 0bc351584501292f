"""`--show gcloud|curl|python` and `--dry-run`: what would be sent, as lines that can be run, or as the requests."""

from aip_magics.commands.options import add_sending
from aip_magics.commands.show.preview import DryRun, preview
from aip_magics.commands.show.sending import (
    Call,
    Fetch,
    MakeBucket,
    Sync,
    Upload,
    Wait,
    deployment_calls,
    equivalent,
)

__all__ = [
    "Call",
    "DryRun",
    "Fetch",
    "MakeBucket",
    "Sync",
    "Upload",
    "Wait",
    "add_sending",
    "deployment_calls",
    "equivalent",
    "preview",
]
