"""`--show gcloud|curl|python` and `--dry-run`: what would be sent, as lines that can be run, or as the requests."""

from aip_magics.commands.show.preview import DryRun, add_sending, preview
from aip_magics.commands.show.sending import Call, MakeBucket, Upload, Wait, deployment_calls, equivalent

__all__ = ["Call", "DryRun", "MakeBucket", "Upload", "Wait", "add_sending", "deployment_calls", "equivalent", "preview"]
