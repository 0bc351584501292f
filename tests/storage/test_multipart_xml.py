"""XML of multipart uploads: with and without a namespace, names that need escaping, and texts that are no XML."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from aip_magics.storage.upload import multipart_xml

NAMESPACES = ["", ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"']
DTD = '<!DOCTYPE a [<!ENTITY b "c">]><A><UploadId>&b;</UploadId></A>'
NO_XML = [b"", b"<html><br>", b"{}", DTD.encode(), DTD.encode("utf-16"), b"\xff\xfe"]


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_multipart_xml_finds_the_upload_id(namespace: str) -> None:
    data = f"<InitiateMultipartUploadResult{namespace}><UploadId>id/1</UploadId></InitiateMultipartUploadResult>"
    assert multipart_xml.upload_id_of(data.encode()) == "id/1"


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_multipart_xml_upload_ids_are_those_of_the_very_object(namespace: str) -> None:
    rows = "".join(
        f"<Upload><Key>{key}</Key><UploadId>{id_}</UploadId></Upload>"
        for key, id_ in (("a&amp;&lt;b&gt;", "1"), ("a&amp;&lt;b&gt;c", "2"), ("a&amp;&lt;b&gt;", "3"))
    )
    data = f"<ListMultipartUploadsResult{namespace}>{rows}</ListMultipartUploadsResult>".encode()
    assert multipart_xml.upload_ids_of(data, "a&<b>") == ["1", "3"]


@pytest.mark.parametrize("data", NO_XML)
def test_multipart_xml_without_xml_has_no_ids(data: bytes) -> None:
    assert multipart_xml.upload_id_of(data) == ""
    assert multipart_xml.upload_ids_of(data, "x") == []


def test_multipart_xml_completion_has_the_parts_in_order() -> None:
    root = ElementTree.fromstring(multipart_xml.completion({2: "b<&", 1: "a"}))
    assert [(part.findtext("PartNumber"), part.findtext("ETag")) for part in root] == [("1", '"a"'), ("2", '"b<&"')]
