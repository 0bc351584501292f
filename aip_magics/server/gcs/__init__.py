"""Cloud Storage inside the embedded server: the JSON API (and the part of the XML API that uploads use) over files.

::

    names, conditions, checksums ─► resources ─► blobs + index ─► store (sessions, parts, listing) ─► web (routes)

An object is a row in SQLite and an opaque, never changing blob file. No path is ever derived from an object name.
"""

from aip_magics.server.gcs.api import routes
from aip_magics.server.gcs.object_store import ObjectStore
from aip_magics.server.gcs.resources import Bucket, StoredObject

__all__ = ["Bucket", "ObjectStore", "StoredObject", "routes"]
