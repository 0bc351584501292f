"""Cloud Storage: gs:// URIs, buckets, uploads, downloads, removals.

Upload the files of a directory (`artifacts.look`) to any endpoint, and download them::

    client = StorageClient("https://storage.googleapis.com", GoogleAuth(credentials, "https://storage.googleapis.com"))
    plan = plan_upload(client, look(Path("export")).files, GsUri.parse("gs://my-bucket/iris/v1"))
    uploaded = upload(client, plan)  # name, generation, crc32c, size of every object
    downloaded = download_directory(client, "gs://my-bucket/iris/v1", Path("copy"))

`http/` is the HTTP client, `upload/` and `download/` plan and run transfers on its connections.
"""

from aip_magics.retry import RetryPolicy
from aip_magics.storage.bucket import (
    Bucket,
    bucket_readers,
    create_bucket,
    ensure_bucket,
    find_bucket,
    grant_command,
)
from aip_magics.storage.digest_cache import DigestCache
from aip_magics.storage.download.cached_download import cached_directory, cached_file
from aip_magics.storage.download.directory_download import DownloadedFile, download_directory
from aip_magics.storage.download.download_plan import DownloadPlan, PlannedDownload, is_risky, plan_download
from aip_magics.storage.download.object_download import download_object
from aip_magics.storage.gs_uri import GsUri, no_objects, split_uri
from aip_magics.storage.http.client import GoogleAuth, StorageClient, StorageRequestError, bearer
from aip_magics.storage.http.default_credentials import default_credentials
from aip_magics.storage.object_api import RemoteObject, get_object, has_objects, list_objects
from aip_magics.storage.progress import OnProgress, ProgressSnapshot
from aip_magics.storage.removal_plan import PlannedRemoval, RemovalPlan, RemovalUri, plan_removal
from aip_magics.storage.removal_run import Removal, RemovalRun
from aip_magics.storage.transfer_paths import TransferPaths
from aip_magics.storage.upload.upload_plan import ServerSideCopy, UploadPlan, diff_with_remote, plan_upload
from aip_magics.storage.upload.upload_run import UploadedFile, upload

__all__ = [
    "Bucket",
    "DigestCache",
    "DownloadPlan",
    "DownloadedFile",
    "GoogleAuth",
    "GsUri",
    "OnProgress",
    "PlannedDownload",
    "PlannedRemoval",
    "ProgressSnapshot",
    "RemoteObject",
    "Removal",
    "RemovalPlan",
    "RemovalRun",
    "RemovalUri",
    "RetryPolicy",
    "ServerSideCopy",
    "StorageClient",
    "StorageRequestError",
    "TransferPaths",
    "UploadPlan",
    "UploadedFile",
    "bearer",
    "bucket_readers",
    "cached_directory",
    "cached_file",
    "create_bucket",
    "default_credentials",
    "diff_with_remote",
    "download_directory",
    "download_object",
    "ensure_bucket",
    "find_bucket",
    "get_object",
    "grant_command",
    "has_objects",
    "is_risky",
    "list_objects",
    "no_objects",
    "plan_download",
    "plan_removal",
    "plan_upload",
    "split_uri",
    "upload",
]
