"""Cloud Storage: gs:// names, buckets, what changed, upload, download.

From Python, with the files of a directory (`artifacts.look`) and any endpoint::

    store = Store("https://storage.googleapis.com", GoogleAuth(credentials, "https://storage.googleapis.com"))
    todo = plan(store, look(Path("export")).files, GsUri.parse("gs://my-bucket/iris/v1"))
    stored = upload(store, todo)  # name, generation, crc32c, size of every object
    fetched = pull(store, "gs://my-bucket/iris/v1", Path("copy"))
"""

from aip_magics.storage.bucket import Bucket, ensure_bucket, find_bucket, grant_command, make_bucket, readers
from aip_magics.storage.cache import Cache
from aip_magics.storage.digests import Digests
from aip_magics.storage.download import download, fetch_directory, fetch_file
from aip_magics.storage.meter import OnProgress, Standing
from aip_magics.storage.names import GsUri
from aip_magics.storage.objects import Remote, listing
from aip_magics.storage.plan import Copy, UploadPlan, compare, plan
from aip_magics.storage.pull import Fetched, pull
from aip_magics.storage.pull_plan import PullPlan, is_risky, plan_pull
from aip_magics.storage.retry import Policy
from aip_magics.storage.store import GoogleAuth, Refused, Store, bearer
from aip_magics.storage.transfers import Transfers, transfers
from aip_magics.storage.upload import Stored, upload

__all__ = [
    "Bucket",
    "Cache",
    "Copy",
    "Digests",
    "Fetched",
    "GoogleAuth",
    "GsUri",
    "OnProgress",
    "Policy",
    "PullPlan",
    "Refused",
    "Remote",
    "Standing",
    "Store",
    "Stored",
    "Transfers",
    "UploadPlan",
    "bearer",
    "compare",
    "download",
    "ensure_bucket",
    "fetch_directory",
    "fetch_file",
    "find_bucket",
    "grant_command",
    "is_risky",
    "listing",
    "make_bucket",
    "plan",
    "plan_pull",
    "pull",
    "readers",
    "transfers",
    "upload",
]
