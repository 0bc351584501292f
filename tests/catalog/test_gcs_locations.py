from __future__ import annotations

import pytest

from aip_magics.catalog.gcs_locations import location_contains, location_type


@pytest.mark.parametrize(
    ("location", "kind"),
    [("US", "multi-region"), ("eu", "multi-region"), ("NAM4", "dual-region"), ("US-CENTRAL1", "region")],
)
def test_location_type(location: str, kind: str) -> None:
    assert location_type(location) == kind


@pytest.mark.parametrize(
    ("location", "inside", "outside"),
    [
        ("us-central1", "us-central1", "us-east1"),
        ("US-CENTRAL1", "us-central1", "us-east1"),
        ("us", "us-west1", "europe-west1"),
        ("US", "us-east1", "northamerica-northeast1"),
        ("eu", "europe-west1", "europe-west2"),
        ("asia", "asia-east1", "australia-southeast1"),
        ("nam4", "us-east1", "us-west1"),
    ],
)
def test_location_contains(location: str, inside: str, outside: str) -> None:
    assert location_contains(location, inside)
    assert not location_contains(location, outside)
