"""Rules about prediction requests and their answers."""

from __future__ import annotations

import json

from aip_magics import catalog
from aip_magics.checks.context import CheckContext, TrialResult
from aip_magics.checks.outcome import Outcomes
from aip_magics.checks.rule import error, rule
from aip_magics.checks.rules.requests import no_test
from aip_magics.checks.rules.trial_results import not_measured, on_trial
from aip_magics.i18n import gettext as _
from aip_magics.targets.vertex import links
from aip_magics.targets.vertex.rules.images import serving_image

_KEYS = ("instances", "parameters")


@rule("V35", "payload-too-large", link=links.ENDPOINTS, target="vertex")
def payload_too_large(context: CheckContext) -> Outcomes:
    """The body of a request must not exceed 1.5 MB on a shared endpoint, and 10 MB on a dedicated one."""
    if context.test_request is None:
        return no_test()
    size, most = len(context.test_request), catalog.vertex_limits().payload_bytes_shared
    if size <= most:
        return []
    text = _("the request has {size} bytes; a shared endpoint takes at most {most}", size=size, most=most)
    return [error("test.instances", text, _smaller(size, len(context.instances or [0])))]


@rule("V36", "predictions-too-large", link=links.ENDPOINTS, target="vertex")
@on_trial
def predictions_too_large(_context: CheckContext, trial: TrialResult) -> Outcomes:
    """The answer to a request must not exceed 1.5 MB on a shared endpoint, and 10 MB on a dedicated one."""
    if trial.predictions is None:
        return not_measured(trial)
    size = len(json.dumps({"predictions": list(trial.predictions)}, separators=(",", ":")).encode())
    most = catalog.vertex_limits().payload_bytes_shared
    if size <= most:
        return []
    text = _("the predictions have {size} bytes; a shared endpoint returns at most {most}", size=size, most=most)
    return [error("test.instances", text, _smaller(size, len(trial.predictions)))]


@rule("V37", "unknown-predict-key", link=links.API_PREDICT, target="vertex")
def unknown_predict_key(context: CheckContext) -> Outcomes:
    """A request has the keys `instances` and `parameters`, and no others: Vertex AI refuses them.

    Other keys, such as AI Platform's `signature_name`, reach a model only by the method rawPredict.
    """
    if context.test_request is None:
        return no_test()
    return [
        error(
            f"test.{key}",
            _("Vertex AI's predict refuses requests with the key {key!r}", key=key),
            _("omit {field}", field=key),
        )
        for key in list(context.test_keys)[:20]
        if key not in _KEYS
    ]


@rule("V38", "parameters-to-prebuilt-image", link=links.PARAMETERS, target="vertex")
def parameters_to_prebuilt_image(context: CheckContext) -> Outcomes:
    """The images for scikit-learn and XGBoost pass `parameters` to predict, which has no such argument.

    Each prediction would fail with "unexpected keyword argument 'parameters'".
    """
    if context.test_request is None:
        return no_test()
    image = serving_image(context)
    if "parameters" not in context.test_keys or image is None or image.framework not in ("SCIKIT_LEARN", "XGBOOST"):
        return []
    text = _("image {name} passes `parameters` to predict, which does not accept it", name=image.name)
    return [error("test.parameters", text, _("omit {field}", field="parameters"))]


def _smaller(size: int, count: int) -> str:
    limits = catalog.vertex_limits()
    share = max(1, count * limits.payload_bytes_shared // size)
    if size <= limits.payload_bytes_dedicated:
        return _("send fewer instances per request: about {share}; a dedicated endpoint takes 10 MB", share=share)
    return _("send fewer instances per request: about {share}", share=share)
