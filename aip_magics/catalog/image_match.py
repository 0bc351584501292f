"""Match a model to a prebuilt prediction image of Vertex AI, or say why none can serve it.

The rules are those of `runtime_match` and `library_skew`: the image's library must be able to read what the model's
library wrote. The images' tables name the series of the framework only, and none of their other libraries.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from aip_magics.catalog.library_skew import find_library_break
from aip_magics.catalog.prediction_images import Accelerator, PredictionImage, prediction_images
from aip_magics.catalog.runtime_match import is_newer, library_name, older_fails
from aip_magics.catalog.tables import parse_version
from aip_magics.i18n import gettext as _

WARNING_DAYS = 90  # an image that ends within these days is chosen with a warning


@dataclasses.dataclass(frozen=True)
class ImageMatch:
    """The image whose library serves the model, its URI near the region, and one sentence why it was chosen.

    `warning` says when the image ends; it is empty if that is more than `WARNING_DAYS` from now.
    """

    image: PredictionImage
    uri: str
    reason: str
    warning: str = ""


@dataclasses.dataclass(frozen=True)
class NoImage:
    """No prebuilt image can serve the model; `reason` is one sentence that says why. The way is a container."""

    reason: str


ImageChoice: TypeAlias = ImageMatch | NoImage


def match_image(
    framework: str,
    libraries: Mapping[str, str],
    region: str,
    today: datetime.date,
    *,
    names: Iterable[str] = (),
    accelerator: Accelerator = "cpu",
) -> ImageChoice:
    """Choose the prebuilt image for a model.

    Args:
        framework: SCIKIT_LEARN, XGBOOST or TENSORFLOW.
        libraries: The release of each library that saved the model: `{"scikit-learn": "1.6.1"}`.
        region: The region of the endpoint, for the host of the image.
        today: The day on which the image must be available.
        names: Dotted names of the classes and functions in the model, for what some releases cannot read.
        accelerator: What the image must run on.
    """
    library = library_name(framework)
    images = [image for image in prediction_images() if image.framework == framework]
    if not library or not images:
        return NoImage(_("no prebuilt image serves framework {framework!r}", framework=framework))
    of_accelerator = [image for image in images if image.accelerator == accelerator]
    if not of_accelerator:
        text = _("no prebuilt image for {library} supports {accelerator}", library=library, accelerator=accelerator)
        return NoImage(text)
    available = [image for image in of_accelerator if image.is_available(today)]
    if not available:
        last = max(of_accelerator, key=lambda image: image.available_until)
        text = _(
            "no prebuilt image for {library} is left: the last one, {name}, ended on {date}",
            library=library,
            name=last.name,
            date=last.available_until.isoformat(),
        )
        return NoImage(text)
    others = [name for name in libraries if name != library]
    if others:
        text = _(
            "the model also needs {other}, which the prebuilt images for {library} are not known to have",
            other=others[0],
            library=library,
        )
        return NoImage(text)
    version = libraries.get(library)
    if version is None or not parse_version(version):
        why = _("the newest image; the model's {library} version is unknown", library=library)
        return _chosen(available[0], region, today, why)
    return _best(available, library, version, tuple(names), region, today)


def ending_text(image: PredictionImage, today: datetime.date) -> str:
    """Say when an available image ends, if that is within `WARNING_DAYS`; else empty."""
    days = image.days_left(today)
    if days > WARNING_DAYS:
        return ""
    return _(
        "image {name} can be deployed until {date}, in {days} days",
        name=image.name,
        date=image.available_until.isoformat(),
        days=days,
    )


def _best(
    available: list[PredictionImage],
    library: str,
    version: str,
    names: tuple[str, ...],
    region: str,
    today: datetime.date,
) -> ImageChoice:
    can = [image for image in available if not is_newer(version, image.version)]
    if not can and older_fails(library):
        text = _(
            "{library} {version} is newer than in any prebuilt image; the newest is {name}",
            library=library,
            version=version,
            name=available[0].name,
        )
        return NoImage(text)
    if not can:
        why = _(
            "{library} {version} is newer than in any prebuilt image; {name} may still load the model",
            library=library,
            version=version,
            name=available[0].name,
        )
        return _chosen(available[0], region, today, why)
    breaks = {image.name: find_library_break(library, version, image.version, names) for image in can}
    reading = [image for image in can if breaks[image.name] is None]
    if not reading:
        oldest = can[-1]
        found = breaks[oldest.name]
        text = _(
            "the model was saved with {library} {version}; {image} cannot use its {name}",
            library=library,
            version=version,
            image=oldest.name,
            name=found.name if found else "",
        )
        return NoImage(text)
    series = parse_version(version)[:2]
    same = [image for image in reading if parse_version(image.version)[:2] == series]
    # As with runtimes: the same series, else the smallest step to a newer one.
    chosen = same[0] if same else reading[-1]
    why = _(
        "the model has {library} {version}, image {name} has {has}",
        library=library,
        version=version,
        name=chosen.name,
        has=chosen.version,
    )
    return _chosen(chosen, region, today, why)


def _chosen(image: PredictionImage, region: str, today: datetime.date, why: str) -> ImageMatch:
    return ImageMatch(image, image.uri(region), why, ending_text(image, today))
