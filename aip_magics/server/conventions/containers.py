"""What only a custom container may have, and what it may not have. None is served here: see `validate`."""

from __future__ import annotations

import re

from aip_magics import catalog
from aip_magics.errors import InvalidArgument
from aip_magics.server.conventions.error_responses import snake, violation
from aip_magics.server.names import ModelKey
from aip_magics.spec import Version

_EXCLUDED = ("runtimeVersion", "pythonVersion", "framework", "packageUris", "predictionClass")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_container(given: Version, key: ModelKey) -> None:
    """InvalidArgument by the first broken rule about containers and routes."""
    if given.container is None:
        if given.routes:
            raise violation(InvalidArgument, "version.routes", "Routes can be used with a custom container only.")
        return
    for name in _EXCLUDED:
        if getattr(given, name) not in (None, (), "FRAMEWORK_UNSPECIFIED"):
            text = f"It cannot be used together with a custom container; leave {name} out."
            raise violation(InvalidArgument, f"version.{snake(name)}", text)
    if not key.regional:
        text = "Custom containers are available on regional endpoints only."
        raise violation(InvalidArgument, "version.container", text)
    known = catalog.machine_type(given.machineType or "")
    if known is None or known.family != "N1":
        text = "A custom container needs a Compute Engine (N1) machine type."
        raise violation(InvalidArgument, "version.machine_type", text)
    _image(given.container.image or "", key.location)
    for port in given.container.ports or ():
        if not 1 <= (port.containerPort or 0) <= 65535:
            text = "A port is a number from 1 to 65535."
            raise violation(InvalidArgument, "version.container.ports.container_port", text)
    for variable in given.container.env or ():
        name = variable.name or ""
        if not _VARIABLE.fullmatch(name) or name.startswith("AIP_"):
            text = f"{name[:200]!r} is no name of a variable, or begins with AIP_, which is reserved."
            raise violation(InvalidArgument, "version.container.env.name", text)


def _image(image: str, region: str) -> None:
    host = f"{region}-docker.pkg.dev"
    if not image.startswith(f"{host}/"):
        text = f"The image {image[:200]!r} must be in Artifact Registry in the region of the endpoint: {host}/…"
        raise violation(InvalidArgument, "version.container.image", text)
