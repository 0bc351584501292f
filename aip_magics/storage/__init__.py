"""Cloud Storage: gs:// names, buckets, what changed, upload."""

from aip_magics.storage.bucket import ensure_bucket
from aip_magics.storage.names import GsUri
from aip_magics.storage.upload import Remote, UploadPlan, listing, plan_upload, upload

__all__ = ["GsUri", "Remote", "UploadPlan", "ensure_bucket", "listing", "plan_upload", "upload"]
