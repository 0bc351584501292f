from __future__ import annotations

from collections.abc import Callable

import pytest

from aip_magics.errors import ApiError, StorageError
from aip_magics.server.gcs import names
from aip_magics.storage import GsUri
from aip_magics.storage.gs_uri import check_object_name


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
        "gs://my-g00gle/x",
        "gs://google-x/x",
        "gs://b-/x",
        "gs://bucket/a//b",
    ],
)
def test_gs_uri_refuses_illegal_names(text: str) -> None:
    with pytest.raises(StorageError):
        GsUri.parse(text)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a\nb", "a\rb", "x" * 1025, "\ud800", ".well-known/acme-challenge/token", "a", "ü" * 512]
)
def test_object_name_is_refused_by_the_client_if_the_server_refuses_it(name: str) -> None:
    def refused(check: Callable[[str], object], error: type[Exception]) -> bool:
        try:
            check(name)
        except error:
            return True
        return False

    assert refused(check_object_name, StorageError) is refused(names.check_object_name, ApiError)
