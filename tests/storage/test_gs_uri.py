from __future__ import annotations

import pytest

from aip_magics.errors import StorageError
from aip_magics.storage import GsUri


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("gs://bucket", "gs://bucket/"),
        ("gs://bucket/a/b", "gs://bucket/a/b/"),
        ("gs://bucket/a/b/", "gs://bucket/a/b/"),
    ],
)
def test_gs_uri_of_a_directory_ends_with_a_slash(text: str, shown: str) -> None:
    assert str(GsUri.parse(text)) == shown


def test_gs_uri_child() -> None:
    assert str(GsUri.parse("gs://bucket/a").child("iris", "v1")) == "gs://bucket/a/iris/v1/"


@pytest.mark.parametrize(
    "text",
    [
        "bucket/a",
        "s3://bucket/a",
        "gs://",
        "gs://Bucket",
        "gs://ab",
        "gs://10.0.0.1/x",
        "gs://my-google/x",
        "gs://b-/x",
        "gs://bucket/a//b",
    ],
)
def test_gs_uri_refuses_illegal_names(text: str) -> None:
    with pytest.raises(StorageError):
        GsUri.parse(text)
