"""Custom code of a version: rules for packageUris and predictionClass, and the files behind the URIs.

The archives get a snapshot like the model directory (`model_snapshots`), from which they are installed before a worker
starts: a READY version does not depend on the source objects.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from aip_magics import catalog
from aip_magics.errors import FailedPrecondition, InvalidArgument, NotFound
from aip_magics.server.conventions.error_responses import violation
from aip_magics.spec import Version

if TYPE_CHECKING:
    from aip_magics.server.gcs import ObjectStore
    from aip_magics.server.state.model_snapshots import Files

SUFFIXES = (".tar.gz", ".zip", ".whl")
_URIS = "version.package_uris"
_CLASS = "prediction_class"
_URI = re.compile(r"gs://([^/]+)/(.+)", re.DOTALL)
_CLASS_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")


def check_prediction_class(requested: Version) -> None:
    """Check predictionClass: without framework, of the form `module.Class`, and with a package."""
    if not requested.predictionClass:
        return
    if requested.framework not in (None, "FRAMEWORK_UNSPECIFIED"):
        raise violation(
            FailedPrecondition,
            _CLASS,
            'Exactly one of "prediction_class" and "framework" may be provided. In order to use a custom prediction '
            'class, "framework" should be left unspecified.',
        )
    if not _CLASS_NAME.fullmatch(requested.predictionClass):
        text = f"'{requested.predictionClass}' is not the fully qualified name of a class: module_name.class_name."
        raise violation(InvalidArgument, _CLASS, text)
    if not requested.packageUris:
        text = f"The package that holds {requested.predictionClass} should be provided in package_uris."
        raise violation(FailedPrecondition, _CLASS, text)


def check_machine_type(requested: Version, regional: bool) -> None:
    """Check the machine type of a custom prediction routine: MLS1, on the global endpoint only."""
    if not requested.predictionClass:
        return
    known = catalog.machine_type(requested.machineType or "")
    if regional or (known is not None and known.family != "MLS1"):
        text = "A custom prediction class needs a legacy (MLS1) machine type, on the global endpoint."
        raise violation(FailedPrecondition, _CLASS, text)


def check_package_uris(requested: Version) -> None:
    """Check packageUris: gs:// objects with the name of a source distribution or wheel."""
    for uri in requested.packageUris or ():
        if not _URI.fullmatch(uri) or not uri.endswith(SUFFIXES):
            text = f"'{uri}' is not the URI of a package in Cloud Storage: gs://BUCKET/PATH/NAME.tar.gz (or .whl)."
            raise violation(InvalidArgument, _URIS, text)


def list_package_files(object_store: ObjectStore, version: Version) -> Files:
    """List the objects of packageUris as files `0/NAME`, `1/NAME` …, which keeps their order; names may repeat.

    FailedPrecondition when an object does not exist.
    """
    files = []
    for number, uri in enumerate(version.packageUris or ()):
        match = _URI.fullmatch(uri)
        assert match is not None  # `check_package_uris` ensures a match
        try:
            stored = object_store.get(match[1], match[2])
        except NotFound:
            raise violation(FailedPrecondition, _URIS, f"The package {uri} was not found.") from None
        files.append((f"{number}/{match[2].rpartition('/')[2]}", stored))
    return files


def list_snapshot_packages(directory: Path) -> tuple[Path, ...]:
    """List the package files of a snapshot in the order of packageUris."""
    return tuple(sorted(directory.glob("*/*"), key=lambda path: int(path.parent.name)))
