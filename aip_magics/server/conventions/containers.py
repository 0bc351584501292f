"""Rules for versions with a custom container, which the server validates but cannot serve: see `validation`."""

from __future__ import annotations

import re

from aip_magics import catalog
from aip_magics.errors import InvalidArgument
from aip_magics.server.conventions.error_responses import to_snake_case, violation
from aip_magics.server.names import ModelKey
from aip_magics.spec import Version

_EXCLUDED = ("runtimeVersion", "pythonVersion", "framework", "packageUris", "predictionClass")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_container(requested: Version, key: ModelKey) -> None:
    """Raise InvalidArgument for the first broken rule about containers and routes."""
    if requested.container is None:
        if requested.routes:
            raise violation(InvalidArgument, "version.routes", "Routes can be used with a custom container only.")
        return
    for name in _EXCLUDED:
        if getattr(requested, name) not in (None, (), "FRAMEWORK_UNSPECIFIED"):
            text = f"{name} cannot be used together with a custom container."
            raise violation(InvalidArgument, f"version.{to_snake_case(name)}", text)
    if not key.regional:
        text = "Custom containers are available on regional endpoints only."
        raise violation(InvalidArgument, "version.container", text)
    known = catalog.machine_type(requested.machineType or "")
    if known is None or known.family != "N1":
        text = "A custom container needs a Compute Engine (N1) machine type."
        raise violation(InvalidArgument, "version.machine_type", text)
    _image(requested.container.image or "", key.location)
    for port in requested.container.ports or ():
        if not 1 <= (port.containerPort or 0) <= 65535:
            text = "A port must be a number from 1 to 65535."
            raise violation(InvalidArgument, "version.container.ports.container_port", text)
    for variable in requested.container.env or ():
        name = variable.name or ""
        if not _VARIABLE.fullmatch(name) or name.startswith("AIP_"):
            text = f"{name[:200]!r} is not a valid variable name, or starts with the reserved prefix AIP_."
            raise violation(InvalidArgument, "version.container.env.name", text)


def _image(image: str, region: str) -> None:
    host = f"{region}-docker.pkg.dev"
    if not image.startswith(f"{host}/"):
        text = f"The image {image[:200]!r} must be in Artifact Registry in the region of the endpoint: {host}/…"
        raise violation(InvalidArgument, "version.container.image", text)
