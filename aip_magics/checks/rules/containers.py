"""Rules about versions that are served by a container of the user's own."""

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


@rule("S18", link=links.API)
def container_alone(context: CheckContext) -> Outcomes:
    """A container brings its own runtime and code: no runtimeVersion, pythonVersion, framework, packages or class."""
    version = context.version
    if version.container is None:
        return []
    given = [name for name in _NOT_WITH_CONTAINER if getattr(version, name) not in (None, "FRAMEWORK_UNSPECIFIED")]
    return [
        error(f"version.{name}", _("{field} does not go with a container", field=name), _leave_out(name))
        for name in given
    ]


@rule("S19", link=links.API)
def container_image(context: CheckContext) -> Outcomes:
    """The image lies in Artifact Registry, in the region of the endpoint: REGION-docker.pkg.dev/PROJECT/REPO/IMAGE."""
    container = context.version.container
    if container is None:
        return []
    image = container.image or ""
    host, _sep, path = image.partition("/")
    region = context.target.region
    found = _HOST.fullmatch(host)
    wanted = f"{region or 'REGION'}-docker.pkg.dev/{path if found else 'PROJECT/REPOSITORY/IMAGE'}"
    field = "version.container.image"
    if not image:
        return [error(field, _("the container has no image"), f"image: {wanted}")]
    if found is None:
        text = _("{image} does not lie in Artifact Registry: the host is {host}", image=image, host=host)
        return [error(field, text, _("push it there: docker push {image}", image=wanted))]
    if region is None:
        return Skipped(_("the region of the endpoint is not known"))  # K01 says that one is needed
    if found["region"] == region:
        return []
    text = _("the image lies in {there}, the endpoint in {here}", there=found["region"], here=region)
    return [error(field, text, _("push it there: docker push {image}", image=wanted))]


@rule("K01", link=links.CONTAINERS)
def container_machine(context: CheckContext) -> Outcomes:
    """A container needs a regional endpoint and an N1 machine, which has to be named."""
    version = context.version
    if version.container is None:
        return []
    found = []
    if not context.target.regional:
        text = _("containers run on regional endpoints only")
        found.append(error("region", text, f"--region {catalog.default_region()}"))
    if version.machineType is None or context.family != "N1":
        text = _("a container needs an N1 machine type")
        found.append(error("version.machineType", text, f"machineType: {catalog.default_machine_type(True).name}"))
    return found


@rule("K02", link=links.CONTAINERS)
def container_routes(context: CheckContext) -> Outcomes:
    """Routes are those of a container; of its ports only the first one is used."""
    version = context.version
    if version.container is None:
        if version.routes is None:
            return []
        return [error("version.routes", _("routes need a container"), _leave_out("routes"))]
    if len(version.container.ports or ()) < 2:
        return []
    text = _("only the first of the container's ports is used")
    return [warning("version.container.ports", text, _("keep one port"))]


def _leave_out(field: str) -> str:
    return _("leave {field} out", field=field)
