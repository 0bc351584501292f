"""Cloud Storage in the embedded server: the JSON API, and the methods of the XML API that uploads use.

::

    api/ (routes, handlers)
      └─► object_store ─► buckets, resumable_uploads, multipart_uploads, object_listing
            └─► store_core ─► blobs (files), metadata_db (SQLite)
                  └─► resources, preconditions, object_checksums, names, gcs_errors

An object is a row in SQLite and an opaque, immutable blob file. No path is ever derived from an object name.
"""

from aip_magics.server.gcs.api import routes
from aip_magics.server.gcs.object_store import ObjectStore
from aip_magics.server.gcs.resources import Bucket, StoredObject

__all__ = ["Bucket", "ObjectStore", "StoredObject", "routes"]
