"""Rules about versions that are served by the user's own container."""

from __future__ import annotations

import re

from aip_magics import catalog
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Outcomes, Skipped
from aip_magics.checks.rule import error, rule, warning
from aip_magics.i18n import gettext as _

_NOT_WITH_CONTAINER = ("runtimeVersion", "pythonVersion", "framework", "packageUris", "predictionClass")
_HOST = re.compile(r"(?P<region>[a-z]+-[a-z]+\d+)-docker\.pkg\.dev")


@rule("S18", "field-conflicts-with-container", link=links.API)
def field_conflicts_with_container(context: CheckContext) -> Outcomes:
    """A container excludes runtimeVersion, pythonVersion, framework, packageUris and predictionClass."""
    version = context.version
    if version.container is None:
        return []
    fields = [name for name in _NOT_WITH_CONTAINER if getattr(version, name) not in (None, "FRAMEWORK_UNSPECIFIED")]
    return [
        error(f"version.{name}", _("{field} cannot be combined with a container", field=name), _omit(name))
        for name in fields
    ]


@rule("S19", "invalid-container-image", link=links.API)
def invalid_container_image(context: CheckContext) -> Outcomes:
    """The image must be in Artifact Registry in the endpoint's region: REGION-docker.pkg.dev/PROJECT/REPO/IMAGE."""
    container = context.version.container
    if container is None:
        return []
    image = container.image or ""
    host, _sep, path = image.partition("/")
    region = context.target.region
    found = _HOST.fullmatch(host)
    expected = f"{region or 'REGION'}-docker.pkg.dev/{path if found else 'PROJECT/REPOSITORY/IMAGE'}"
    field = "version.container.image"
    if not image:
        return [error(field, _("the container has no image"), f"image: {expected}")]
    if found is None:
        text = _("{image} is not in Artifact Registry: the host is {host}", image=image, host=host)
        return [error(field, text, _("push the image to Artifact Registry: docker push {image}", image=expected))]
    if region is None:
        return Skipped(_("the region of the endpoint is unknown"))  # K01 reports the missing region
    if found["region"] == region:
        return []
    text = _("the image is in {there}, the endpoint in {here}", there=found["region"], here=region)
    return [error(field, text, _("push the image to Artifact Registry: docker push {image}", image=expected))]


@rule("K01", "container-on-wrong-machine", link=links.CONTAINERS)
def container_on_wrong_machine(context: CheckContext) -> Outcomes:
    """A container requires a regional endpoint and an explicit N1 machine type."""
    version = context.version
    if version.container is None:
        return []
    found = []
    if not context.target.regional:
        text = _("containers run only on regional endpoints")
        found.append(error("region", text, f"--region {catalog.default_region()}"))
    if version.machineType is None or context.family != "N1":
        text = _("a container requires an N1 machine type")
        found.append(error("version.machineType", text, f"machineType: {catalog.default_machine_type(True).name}"))
    return found


@rule("K02", "unusable-routes-or-ports", link=links.CONTAINERS)
def unusable_routes_or_ports(context: CheckContext) -> Outcomes:
    """Routes require a container, and only the first port of a container is used."""
    version = context.version
    if version.container is None:
        if version.routes is None:
            return []
        return [error("version.routes", _("routes require a container"), _omit("routes"))]
    if len(version.container.ports or ()) < 2:
        return []
    text = _("only the first port of the container is used")
    return [warning("version.container.ports", text, _("keep only one port"))]


def _omit(field: str) -> str:
    return _("omit {field}", field=field)
