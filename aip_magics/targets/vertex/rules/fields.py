"""Rules about fields of a version that Vertex AI has no counterpart for, or that choose something else there."""

from __future__ import annotations

from aip_magics import catalog
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Outcomes
from aip_magics.checks.rule import error, rule, warning
from aip_magics.i18n import gettext as _
from aip_magics.targets.vertex import links
from aip_magics.targets.vertex.rules.images import serving_image


@rule("V39", "explanations-without-counterpart", link=links.API_MODEL, target="vertex")
def explanations_without_counterpart(context: CheckContext) -> Outcomes:
    """explanationConfig has no counterpart: Vertex AI also needs metadata of the model's inputs and outputs.

    Vertex AI's explanationSpec has these in explanationMetadata, which no field of a version holds.
    """
    if context.version.explanationConfig is None:
        return []
    text = _("Vertex AI's explanations need metadata of inputs and outputs, which explanationConfig lacks")
    return [error("version.explanationConfig", text, _("omit {field}", field="explanationConfig"))]


@rule("V40", "runtime-without-effect", link=links.IMAGES, target="vertex")
def runtime_without_effect(context: CheckContext) -> Outcomes:
    """runtimeVersion and pythonVersion have no effect: Vertex AI has images instead of runtimes.

    The libraries that saved the model choose the image. No image has the libraries of a runtime of AI Platform.
    """
    fields = [name for name in ("runtimeVersion", "pythonVersion") if getattr(context.version, name) is not None]
    if not fields or context.version.container is not None:
        return []  # with a container, S18 reports the fields
    image = serving_image(context)
    return [warning(f"version.{name}", _no_effect(name, image), _("omit {field}", field=name)) for name in fields]


def _no_effect(field: str, image: catalog.PredictionImage | None) -> str:
    if image is None:
        return _("{field} has no effect: Vertex AI has images instead of runtimes", field=field)
    return _("{field} has no effect: the model's libraries choose image {name}", field=field, name=image.name)
