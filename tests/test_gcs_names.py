"""The naming rules of Cloud Storage, which the storage client and the embedded server share."""

from __future__ import annotations

import pytest

from aip_magics.gcs_names import bucket_name_problem, max_bucket_chars, object_name_problem


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("abc", None),
        ("a" * 63, None),
        ("my-bucket_1.example", None),
        (".".join(["a" * 55] * 4)[:222], None),
        ("ab", "length"),
        ("a" * 64, "length"),
        ("a." * 111 + "a", "length"),
        ("Upper", "characters"),
        ("-abc", "characters"),
        ("abc\n", "characters"),
        ("a..b", "parts"),
        ("a" * 64 + ".b", "parts"),
        ("goog-x", "goog"),
        ("my-google", "google"),
        ("my-g00gle", "google"),
        ("192.168.5.4", "address"),
        ("999.999.999.999", "address"),
    ],
)
def test_bucket_name_problem(name: str, problem: str | None) -> None:
    assert bucket_name_problem(name) == problem


def test_max_bucket_chars() -> None:
    assert (max_bucket_chars("abc"), max_bucket_chars("a.b")) == (63, 222)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("x" * 1024, None),
        ("é" * 512, None),
        ("...", None),
        ("../a\tb#?%\0", None),
        ("", "empty"),
        ("é" * 513, "length"),
        ("\ud800", "unicode"),
        ("a\nb", "line break"),
        ("a\rb", "line break"),
        (".", "reserved"),
        ("..", "reserved"),
        (".well-known/acme-challenge/x", "reserved"),
    ],
)
def test_object_name_problem(name: str, problem: str | None) -> None:
    assert object_name_problem(name) == problem
