"""Custom code of a version: what packageUris and predictionClass may be, and the files behind the URIs.

The archives are copied as the model directory is (`copies`); whatever starts a worker installs the copy, so that
deleting the objects does not break a version that is READY.
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


def prediction_class(given: Version) -> None:
    """predictionClass: not beside a framework, `module.Class`, with the package that has the module."""
    if not given.predictionClass:
        return
    if given.framework not in (None, "FRAMEWORK_UNSPECIFIED"):
        raise violation(
            FailedPrecondition,
            _CLASS,
            'Exactly one of "prediction_class" and "framework" may be provided. In order to use a custom prediction '
            'class, "framework" should be left unspecified.',
        )
    if not _CLASS_NAME.fullmatch(given.predictionClass):
        text = f"'{given.predictionClass}' is not the fully qualified name of a class: module_name.class_name."
        raise violation(InvalidArgument, _CLASS, text)
    if not given.packageUris:
        text = f"The package that holds {given.predictionClass} should be provided in package_uris."
        raise violation(FailedPrecondition, _CLASS, text)


def machine(given: Version, regional: bool) -> None:
    """A custom prediction routine runs on MLS1 machines, which the global endpoint alone has."""
    if not given.predictionClass:
        return
    known = catalog.machine_type(given.machineType or "")
    if regional or (known is not None and known.family != "MLS1"):
        text = "A custom prediction class needs a legacy (MLS1) machine type, on the global endpoint."
        raise violation(FailedPrecondition, _CLASS, text)


def uris(given: Version) -> None:
    """Every packageUri is a gs:// object with the name of a source distribution or wheel."""
    for uri in given.packageUris or ():
        if not _URI.fullmatch(uri) or not uri.endswith(SUFFIXES):
            text = f"'{uri}' is not the URI of a package in Cloud Storage: gs://BUCKET/PATH/NAME.tar.gz (or .whl)."
            raise violation(InvalidArgument, _URIS, text)


def files_of(objects: ObjectStore, version: Version) -> Files:
    """The objects of packageUris as files `0/NAME`, `1/NAME` …: the order of installing is kept, names may repeat.

    FailedPrecondition when an object is not there.
    """
    found = []
    for number, uri in enumerate(version.packageUris or ()):
        match = _URI.fullmatch(uri)
        assert match is not None  # `uris` has seen it
        try:
            stored = objects.get(match[1], match[2])
        except NotFound:
            raise violation(FailedPrecondition, _URIS, f"The package {uri} was not found.") from None
        found.append((f"{number}/{match[2].rpartition('/')[2]}", stored))
    return found


def in_copy(folder: Path) -> tuple[Path, ...]:
    """The package files of a copy, in the order of packageUris."""
    return tuple(sorted(folder.glob("*/*"), key=lambda path: int(path.parent.name)))
