"""Cloud Storage: gs:// names, buckets, what changed, upload, download."""

from aip_magics.storage.bucket import ensure_bucket
from aip_magics.storage.cache import Cache
from aip_magics.storage.download import download, fetch_directory, fetch_file
from aip_magics.storage.names import GsUri
from aip_magics.storage.upload import Remote, UploadPlan, listing, plan_upload, upload

__all__ = [
    "Cache",
    "GsUri",
    "Remote",
    "UploadPlan",
    "download",
    "ensure_bucket",
    "fetch_directory",
    "fetch_file",
    "listing",
    "plan_upload",
    "upload",
]
