"""Which image serves a version on Vertex AI: the one that the version names, or the prebuilt one for its model."""

from __future__ import annotations

import datetime

from aip_magics import catalog
from aip_magics.artifacts import ModelDir
from aip_magics.client.vertex.version import VertexVersion, is_unfinished_image
from aip_magics.i18n import gettext as _
from aip_magics.spec import Version


def choose_image(
    framework: str | None, model_dir: ModelDir | None, version: Version, region: str, today: datetime.date
) -> catalog.ImageChoice:
    """Choose the prebuilt image for a version without a container, or say why none fits.

    Args:
        framework: The framework that the version names, or that was detected from the files.
        model_dir: The local files; without them, only the framework is known.
        version: The version; its custom code needs a container, its accelerator another image.
        region: The region of the endpoint.
        today: The day on which the image must be available.
    """
    if has_custom_code(version):
        return catalog.NoImage(_("the prebuilt images install no packages and run no prediction class"))
    return catalog.match_image(
        framework or "FRAMEWORK_UNSPECIFIED",
        model_dir.libraries if model_dir else {},
        region,
        today,
        names=global_names(model_dir),
        accelerator="gpu" if version.acceleratorConfig else "cpu",
    )


def global_names(model_dir: ModelDir | None) -> list[str]:
    """The dotted names of the classes and functions in a pickled model; none for another model."""
    facts = model_dir.contents.pickle if model_dir and model_dir.contents else None
    return [str(one) for one in facts.globals] if facts else []


def has_custom_code(version: Version) -> bool:
    """Whether a version has packages or a prediction class, which only a container of ours runs."""
    return bool(version.packageUris or version.predictionClass)


def is_own_image(version: Version) -> bool:
    """Whether a version names an image that is none of Google's prebuilt ones."""
    container = version.container
    return container is not None and not catalog.is_prebuilt(container.image or "")


def is_served_by_ours(version: Version) -> bool:
    """Whether the target serves a version by an image of this package, which it makes for the version."""
    return isinstance(version, VertexVersion) and is_unfinished_image(version.imageUri)
