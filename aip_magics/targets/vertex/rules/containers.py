"""Rules about versions that are served by a container of one's own, and about code that needs one."""

from __future__ import annotations

import platform
import re

from aip_magics import catalog
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Outcomes, Skipped
from aip_magics.checks.rule import advice, error, rule
from aip_magics.i18n import gettext as _
from aip_magics.targets.vertex import links
from aip_magics.targets.vertex.image_choice import has_custom_code, is_own_image, is_served_by_ours
from aip_magics.targets.vertex.rules.images import container_fix

_REGISTRY = re.compile(r"(?P<location>[a-z]+(?:-[a-z]+\d+)?)-docker\.pkg\.dev")
# Repositories of Google, as of the optimized TensorFlow runtime and of Model Garden; these have multi-regions only.
_GOOGLE = re.compile(r"(?:us|europe|asia)-docker\.pkg\.dev/vertex-ai(?:-restricted)?/")
_RESERVED = "AIP_"
_ARM = ("arm64", "aarch64")


@rule("V23", "image-outside-region", link=links.CONTAINERS, target="vertex")
def image_outside_region(context: CheckContext) -> Outcomes:
    """A container's image must be in Artifact Registry in the endpoint's region: REGION-docker.pkg.dev/….

    Vertex AI does not pull from multi-regional repositories, nor from other registries. Container Registry (gcr.io) was
    shut down. Google's own images for Vertex AI are exempt.
    """
    container, region = context.version.container, context.target.region
    if container is None or not is_own_image(context.version) or _GOOGLE.match(container.image or ""):
        return []
    if region is None:
        return Skipped(_("the region of the endpoint is unknown"))  # V30 reports the missing region
    image, field = container.image or "", "version.container.image"
    host, _sep, path = image.partition("/")
    found = _REGISTRY.fullmatch(host)
    expected = f"{region}-docker.pkg.dev/{path if found else 'PROJECT/REPOSITORY/IMAGE'}"
    if not image:
        return [error(field, _("the container has no image"), f"image: {expected}")]
    if found and found["location"] == region:
        return []
    if found:
        text = _("the image is in {there}, the endpoint in {here}", there=found["location"], here=region)
    else:
        text = _("{image} is not in Artifact Registry: the host is {host}", image=image, host=host)
    return [error(field, text, _("push the image to Artifact Registry: docker push {image}", image=expected))]


@rule("V24", "custom-code-without-container", link=links.MIGRATION, target="vertex")
def custom_code_without_container(context: CheckContext) -> Outcomes:
    """packageUris and predictionClass require a container: Vertex AI's prebuilt images install no packages.

    The container of %aip_package runs a custom prediction routine of AI Platform unchanged.
    """
    version = context.version
    if not has_custom_code(version) or is_own_image(version) or is_served_by_ours(version):
        return []
    field = "predictionClass" if version.predictionClass else "packageUris"
    text = _("{field} has no effect in Vertex AI's prebuilt images, which run no code of yours", field=field)
    return [error(f"version.{field}", text, container_fix())]


@rule("V25", "invalid-environment-variable", link=links.API_MODEL, target="vertex")
def invalid_environment_variable(context: CheckContext) -> Outcomes:
    """Variables of a container must not be named AIP_…; at most 200, below 128 KiB each and 512 KiB together."""
    variables = (context.version.container.env if context.version.container else None) or ()
    limits, field = catalog.vertex_limits(), "version.container.env"
    found = []
    for index, variable in enumerate(variables):
        name = variable.name or ""
        if name.startswith(_RESERVED):
            text = _("variable {name} has a name that Vertex AI reserves for itself: AIP_…", name=name)
            found.append(error(f"{field}[{index}].name", text, f"name: {name.removeprefix(_RESERVED) or 'NAME'}"))
    if len(variables) > limits.environment_variables:
        text = _(
            "found {count} variables; the maximum is {most}", count=len(variables), most=limits.environment_variables
        )
        found.append(error(field, text, _("keep only the variables that the container reads")))
    sizes = [len(f"{one.name}={one.value or ''}".encode()) for one in variables]
    large = next((index for index, size in enumerate(sizes) if size >= limits.environment_variable_bytes), None)
    if large is not None:
        text = _(
            "variable {name} has {size} bytes, expected less than {most}",
            name=variables[large].name,
            size=sizes[large],
            most=limits.environment_variable_bytes,
        )
        found.append(error(f"{field}[{large}].value", text, _("put the value into a file of the model directory")))
    elif sum(sizes) > limits.environment_bytes:
        text = _(
            "the variables have {size} bytes; the maximum is {most}", size=sum(sizes), most=limits.environment_bytes
        )
        found.append(error(field, text, _("put the value into a file of the model directory")))
    return found


@rule("V26", "image-built-for-arm", link=links.ARM_IMAGE, target="vertex")
def image_built_for_arm(context: CheckContext) -> Outcomes:
    """An image must be built for linux/amd64; docker builds for the processor of this machine by default.

    An image for arm64, as of a Mac with Apple silicon, runs locally and fails on Vertex AI with "exec format error".
    """
    if not is_own_image(context.version) or platform.machine().lower() not in _ARM:
        return []
    text = _("this machine has an arm64 processor, for which docker builds images by default; Vertex AI has amd64")
    return [advice("version.container.image", text, _("build the image with docker build --platform linux/amd64"))]
