"""The routes, as the API's own list of methods has them.

`routes` must stand last in the table of the server: `/BUCKET/OBJECT` of the XML API matches much.
"""

from __future__ import annotations

from starlette.routing import BaseRoute

from aip_magics.server.gcs.api import buckets, downloads, objects, uploads, xml_api
from aip_magics.server.gcs.api.batch import batch
from aip_magics.server.gcs.api.routing import ObjectRoute
from aip_magics.server.gcs.object_store import ObjectStore

_B = "/storage/v1/b"
_O = "/storage/v1/b/{bucket}/o"

_JSON = (
    ("GET", f"{_O}/{{object}}", objects.get),
    ("GET", _O, objects.listing),
    ("PATCH", f"{_O}/{{object}}", objects.patch),
    ("PUT", f"{_O}/{{object}}", objects.update),
    ("DELETE", f"{_O}/{{object}}", objects.delete),
    ("POST", f"{_O}/{{object}}/compose", objects.compose),
    ("POST", f"{_O}/{{object}}/rewriteTo/b/{{toBucket}}/o/{{toObject}}", objects.rewrite),
    ("POST", f"{_O}/{{object}}/copyTo/b/{{toBucket}}/o/{{toObject}}", objects.copy),
    ("POST", _B, buckets.insert),
    ("GET", _B, buckets.listing),
    ("GET", f"{_B}/{{bucket}}", buckets.get),
    ("PATCH", f"{_B}/{{bucket}}", buckets.patch),
    ("PUT", f"{_B}/{{bucket}}", buckets.update),
    ("DELETE", f"{_B}/{{bucket}}", buckets.delete),
    ("GET", f"{_B}/{{bucket}}/storageLayout", buckets.layout),
    ("GET", f"{_B}/{{bucket}}/managedFolders", buckets.managed_folders),
    ("GET", f"{_B}/{{bucket}}/iam", buckets.get_policy),
    ("PUT", f"{_B}/{{bucket}}/iam", buckets.set_policy),
    ("GET", f"{_B}/{{bucket}}/iam/testPermissions", buckets.test_permissions),
)

_MEDIA = (
    ("POST", f"/upload{_O}", uploads.insert),
    ("PUT", f"/upload{_O}", uploads.resume, "upload_id"),
    ("DELETE", f"/upload{_O}", uploads.cancel, "upload_id"),
    ("POST", f"/resumable/upload{_O}", uploads.insert),
    ("PUT", f"/resumable/upload{_O}", uploads.resume, "upload_id"),
    ("DELETE", f"/resumable/upload{_O}", uploads.cancel, "upload_id"),
    ("GET", f"/download{_O}/{{object}}", downloads.media),
)

_XML = (
    ("POST", "/{bucket}/{object*}", xml_api.start, "uploads"),
    ("PUT", "/{bucket}/{object*}", xml_api.put_part, "partNumber", "uploadId"),
    ("POST", "/{bucket}/{object*}", xml_api.complete, "uploadId"),
    ("DELETE", "/{bucket}/{object*}", xml_api.abort, "uploadId"),
    ("GET", "/{bucket}/{object*}", xml_api.list_parts, "uploadId"),
    ("GET", "/{bucket}", xml_api.list_uploads, "uploads"),
    ("PUT", "/{bucket}/{object*}", xml_api.put),
    ("GET", "/{bucket}/{object*}", xml_api.get),
    ("DELETE", "/{bucket}/{object*}", xml_api.delete),
)


def routes(store: ObjectStore) -> list[BaseRoute]:
    """The routes of `store`: JSON API, uploads and downloads, batch, XML API. Put them after all others."""
    json = [ObjectRoute(store, method, path, handler) for method, path, handler in _JSON]
    media = [ObjectRoute(store, method, path, handler, *needs) for method, path, handler, *needs in _MEDIA]
    xmls = [ObjectRoute(store, method, path, handler, *needs, xml=True) for method, path, handler, *needs in _XML]
    many = [ObjectRoute(store, "POST", path, batch(json)) for path in ("/batch/storage/v1", "/batch")]
    return [*media, *json, *many, *xmls]
