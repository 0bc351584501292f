"""Locations of Cloud Storage buckets: regions, multi-regions and predefined dual-regions.

Shared by the storage client, which asks whether a bucket is near a model, and the embedded server, which reports the
type of a location.
"""

from __future__ import annotations

from typing import Literal

from aip_magics.catalog.tables import read_table

LocationType = Literal["region", "dual-region", "multi-region"]


def location_type(location: str) -> LocationType:
    """Return the type of a bucket's location, in upper or lower case."""
    table = read_table("gcs_locations")
    if location.lower() in table["multi_region"]:
        return "multi-region"
    return "dual-region" if location.lower() in table["dual_region"] else "region"


def location_contains(location: str, region: str) -> bool:
    """Return whether a location, in upper or lower case, is or contains the region (`us-central1`)."""
    table, name = read_table("gcs_locations"), location.lower()
    if name in table["dual_region"]:
        return region in table["dual_region"][name]
    if multi_region := table["multi_region"].get(name):
        return region.startswith(multi_region["prefix"]) and region not in multi_region["except"]
    return name == region
