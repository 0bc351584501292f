"""The files of an uploaded model: what a node needs of its artifact directory and of its image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from aip_magics.server.conventions import validation
from aip_magics.server.state import version_packages
from aip_magics.server.state.model_snapshots import Files, list_model_files
from aip_magics.server.vertex.error_texts import field_error
from aip_magics.server.vertex.images import ServableImage
from aip_magics.spec import Version

if TYPE_CHECKING:
    from aip_magics.server.gcs import ObjectStore


def list_files(
    object_store: ObjectStore, artifact_uri: str | None, image: ServableImage
) -> tuple[Version, Sequence[Callable[[], Files]]]:
    """Return how the model is served, and functions that list its files and, if it has any, its packages.

    InvalidArgument without an artifact directory, which the service would require of a prebuilt image only.
    FailedPrecondition without exactly one model file, or without the packages of the image.
    """
    if not artifact_uri:
        reason = "a prebuilt image contains no model."
        if image.is_pushed:
            reason = "the embedded server does not have the files that are in an image."
        raise field_error("model.artifact_uri", f"Required field is not set: {reason}")

    def list_artifacts() -> Files:
        return list_model_files(object_store, artifact_uri)

    def list_packages() -> Files:
        return version_packages.list_package_files(object_store, image.serving)

    files = list_artifacts()
    names, sizes = [name for name, _ in files], [stored.size for _, stored in files]
    serving = image.serving.replace(deploymentUri=artifact_uri)
    serving = serving.replace(framework=validation.detect_framework(serving, names, sizes))
    if not serving.packageUris:
        return serving, [list_artifacts]
    list_packages()  # raises if one is missing
    return serving, [list_artifacts, list_packages]
