"""Container images: which of them the server can serve without running a container.

These are Google's prebuilt images, and images that were pushed with `PUT /aip-magics/images`, an extension of the API.
"""

from __future__ import annotations

import dataclasses
from datetime import timezone
from typing import Any, cast

from starlette.requests import Request

from aip_magics import catalog
from aip_magics.errors import FailedPrecondition
from aip_magics.server.api.versions import FRAMEWORKS
from aip_magics.server.context import AppContext, get_context
from aip_magics.server.state import version_packages
from aip_magics.server.vertex.bodies import VertexResource, parse_body
from aip_magics.server.vertex.error_texts import field_error
from aip_magics.spec import Framework, Version

_MAX_URI_CHARS = 1000


@dataclasses.dataclass(frozen=True)
class PushedImage(VertexResource):
    """An image with the model server of this package: how its models are served, in AI Platform's terms."""

    imageUri: str | None = None
    framework: Framework | None = None
    predictionClass: str | None = None
    packageUris: tuple[str, ...] | None = None
    predictRoute: str | None = None
    healthRoute: str | None = None


async def put(request: Request) -> dict[str, Any]:
    """Extension of the API: describe an image; takes the place of `docker push`."""
    image = await parse_body(request, PushedImage)
    if not image.imageUri or len(image.imageUri) > _MAX_URI_CHARS or any(map(str.isspace, image.imageUri)):
        raise field_error("image_uri", "Expected the URI of a container image.")
    if catalog.prediction_image(image.imageUri):
        raise field_error("image_uri", f"{image.imageUri} is a prebuilt image of Google's.")
    version = _version(image)
    version_packages.check_prediction_class(version)
    version_packages.check_package_uris(version)
    document = image.to_json()
    get_context(request).database.images.put(image.imageUri, document)
    return document


async def list_(request: Request) -> dict[str, Any]:
    """Extension of the API: the images that were pushed."""
    return {"images": get_context(request).database.images.list_all()}


@dataclasses.dataclass(frozen=True)
class ServableImage:
    """An image whose models this server serves, with `serving`: framework, packages and prediction class."""

    serving: Version
    is_pushed: bool


def find(context: AppContext, image_uri: str) -> ServableImage:
    """Return an image; FailedPrecondition for one that cannot be served here, or no longer on Vertex AI."""
    pushed = context.database.images.get(image_uri)
    if pushed is not None:
        return ServableImage(_version(PushedImage.from_json(pushed, strict=False)), is_pushed=True)
    image = catalog.prediction_image(image_uri)
    if image is None:
        raise FailedPrecondition(
            f"The embedded server runs no containers: image {image_uri[:300]} is neither a prebuilt image nor pushed "
            "to it. Use a prebuilt image such as us-docker.pkg.dev/vertex-ai/prediction/sklearn-cpu.1-6:latest, or "
            "push the container that %aip_package --container writes."
        )
    if not image.is_available(context.clock().astimezone(timezone.utc).date()):
        reason = "Google no longer lists its path" if image.moved else f"its availability ended {image.available_until}"
        raise FailedPrecondition(f"The prebuilt image {image_uri[:300]} is not available: {reason}. Use a newer image.")
    if image.framework in FRAMEWORKS:
        return ServableImage(Version(framework=cast(Framework, image.framework)), is_pushed=False)
    raise FailedPrecondition(f"The embedded server does not serve {image.framework} models: image {image_uri[:300]}.")


def _version(image: PushedImage) -> Version:
    framework = None if image.framework == "FRAMEWORK_UNSPECIFIED" else image.framework
    return Version(
        framework=framework, predictionClass=image.predictionClass or None, packageUris=image.packageUris or None
    )
