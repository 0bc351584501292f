"""The files of an uploaded model: what a node needs of its artifact directory and of its image."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aip_magics.server.context import AppContext
from aip_magics.server.conventions import validation
from aip_magics.server.state import version_packages
from aip_magics.server.state.model_snapshots import Files, list_model_files
from aip_magics.server.vertex import images
from aip_magics.server.vertex.error_texts import field_error
from aip_magics.server.vertex.resources import Model
from aip_magics.spec import Version


def list_files(context: AppContext, model: Model) -> tuple[Version, Sequence[Callable[[], Files]]]:
    """Return how the model is served, and functions that list its files and, if it has any, its packages.

    FailedPrecondition without exactly one model file, for an image that cannot be served, or without its packages.
    """
    image_uri = (model.containerSpec.imageUri if model.containerSpec else None) or ""
    serving, is_pushed = images.serving_of(context, image_uri)
    uri = model.artifactUri
    if not uri and not is_pushed:
        raise field_error("model.artifact_uri", "Required field is not set: the model of a prebuilt image is in files.")
    if uri:
        serving = serving.replace(deploymentUri=uri)
        files = list_model_files(context.object_store, uri)
        names, sizes = [name for name, _ in files], [obj.size for _, obj in files]
        serving = serving.replace(framework=validation.detect_framework(serving, names, sizes))
    version_packages.list_package_files(context.object_store, serving)  # raises if one is missing

    def list_artifacts() -> Files:
        return list_model_files(context.object_store, uri) if uri else ()

    def list_packages() -> Files:
        return version_packages.list_package_files(context.object_store, serving)

    return serving, [list_artifacts, list_packages] if serving.packageUris else [list_artifacts]
