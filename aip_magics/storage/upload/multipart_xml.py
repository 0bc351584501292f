"""XML bodies of the XML API's multipart uploads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xml.etree import ElementTree


def upload_id_of(data: bytes) -> str:
    """The id in the response that starts an upload, empty if there is none."""
    root = _parse(data)
    return (root.findtext("{*}UploadId") or "").strip() if root is not None else ""


def upload_ids_of(data: bytes, name: str) -> list[str]:
    """The ids of the uploads of this very object in a list of uploads."""
    root = _parse(data)
    rows = root.iterfind("{*}Upload") if root is not None else ()
    return [row.findtext("{*}UploadId") or "" for row in rows if row.findtext("{*}Key") == name]


def completion(etags: Mapping[int, str]) -> bytes:
    """The body that completes an upload of these parts, by number."""
    from xml.etree import ElementTree

    root = ElementTree.Element("CompleteMultipartUpload")
    for number, etag in sorted(etags.items()):
        part = ElementTree.SubElement(root, "Part")
        ElementTree.SubElement(part, "PartNumber").text = str(number)
        ElementTree.SubElement(part, "ETag").text = f'"{etag}"'
    return ElementTree.tostring(root)


def _parse(data: bytes) -> ElementTree.Element | None:
    from xml.etree import ElementTree  # only a multipart upload needs it

    try:
        text = data.decode()  # in another encoding than the API's, a DTD would not be found
        # No response of the API has a DTD, whose entities may expand without end.
        return None if "<!" in text else ElementTree.fromstring(text)
    except (UnicodeDecodeError, ElementTree.ParseError):
        return None
