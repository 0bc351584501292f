"""What the platform tells a container by environment variables: Vertex AI's (AIP_*) and KServe's defaults."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path

from aip_magics.errors import SettingsError
from aip_magics.i18n import gettext as _

DEFAULT_PORT = 8080  # of both platforms
KSERVE_DIR = Path("/mnt/models")  # where KServe mounts the model
MOST_WORKERS = 512
MOST_PREDICT_SECONDS = 3600  # of Vertex AI's inferenceTimeout
_ROUTE = re.compile(r"/[!-~]*")
_MODEL_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclasses.dataclass(frozen=True)
class Contract:
    """Where the server listens, and where the model is.

    Attributes:
        port: The port.
        health_route: The path of health checks.
        predict_route: The path of prediction requests.
        storage_uri: The model directory: a gs:// URI or a local path; empty if the platform names none.
        model_name: The only name in paths of KServe's protocol; empty if every name is answered.
        workers: The number of worker processes; None chooses as many as processors and memory permit.
        predict_seconds: How long a prediction may take before its worker is replaced.
        coalesce: Whether requests that wait are predicted in one batch (not for custom code); None: where no bit of an
            answer changes.
    """

    port: int = DEFAULT_PORT
    health_route: str = "/health"
    predict_route: str = "/predict"
    storage_uri: str = ""
    model_name: str = ""
    workers: int | None = None
    predict_seconds: int = 600  # the default of Vertex AI's dedicated endpoints, inferenceTimeout
    coalesce: bool | None = None

    @classmethod
    def from_environ(cls, variables: Mapping[str, str]) -> Contract:
        """Read the variables of the platform. SettingsError if one is invalid.

        Without a route in the variables, the default routes of Vertex AI apply if it names the deployed model.
        """
        health, predict = cls.health_route, cls.predict_route
        endpoint, deployed = variables.get("AIP_ENDPOINT_ID"), variables.get("AIP_DEPLOYED_MODEL_ID")
        if endpoint and deployed:
            health = f"/v1/endpoints/{endpoint}/deployedModels/{deployed}"
            predict = f"{health}:predict"
        contract = cls(
            port=_port(variables),
            health_route=_route(variables, "AIP_HEALTH_ROUTE", health),
            predict_route=_route(variables, "AIP_PREDICT_ROUTE", predict),
            storage_uri=variables.get("AIP_STORAGE_URI", "").strip(),
            model_name=_model_name(variables),
            workers=_workers(variables),
            predict_seconds=_predict_seconds(variables),
            coalesce=_coalesce(variables),
        )
        if contract.health_route == contract.predict_route:
            text = _("the routes of health checks and predictions are both {route}", route=contract.health_route)
            raise SettingsError(text, where="AIP_HEALTH_ROUTE, AIP_PREDICT_ROUTE", fix=_("use two different routes"))
        return contract


def _port(variables: Mapping[str, str]) -> int:
    name = "AIP_HTTP_PORT" if variables.get("AIP_HTTP_PORT") else "PORT"  # the latter is Knative's and Cloud Run's
    text = variables.get(name) or str(DEFAULT_PORT)
    if not _is_number(text, 65535):
        problem = _("expected a port from 1 to 65535, got {value!r}", value=text)
        raise SettingsError(problem, where=name, fix=_("use port {port}", port=DEFAULT_PORT))
    return int(text)


def _route(variables: Mapping[str, str], name: str, default: str) -> str:
    route = variables.get(name) or default
    if not _ROUTE.fullmatch(route) or "?" in route or "#" in route:
        problem = _("expected a path that begins with /, got {value!r}", value=route)
        raise SettingsError(problem, where=name, fix=_("use a path such as {path}", path=Contract.predict_route))
    return route


def _model_name(variables: Mapping[str, str]) -> str:
    name = variables.get("MODEL_NAME", "")
    if name and not _MODEL_NAME.fullmatch(name):
        problem = _("invalid value {value!r}", value=name)
        fix = _("use letters, digits, dots, hyphens and underscores only")
        raise SettingsError(problem, where="MODEL_NAME", fix=fix)
    return name


def _workers(variables: Mapping[str, str]) -> int | None:
    text = variables.get("MODEL_WORKERS", "")
    if not text:
        return None
    if not _is_number(text, MOST_WORKERS):
        problem = _("expected a number of worker processes from 1 to 512, got {value!r}", value=text)
        raise SettingsError(problem, where="MODEL_WORKERS", fix=_("omit the variable: one worker per processor"))
    return int(text)


def _predict_seconds(variables: Mapping[str, str]) -> int:
    text = variables.get("MODEL_PREDICT_SECONDS") or str(Contract.predict_seconds)
    if not _is_number(text, MOST_PREDICT_SECONDS):
        problem = _(
            "expected a number of seconds from 1 to {most}, got {value!r}", most=MOST_PREDICT_SECONDS, value=text
        )
        fix = _("omit the variable: a prediction may take {seconds} s", seconds=Contract.predict_seconds)
        raise SettingsError(problem, where="MODEL_PREDICT_SECONDS", fix=fix)
    return int(text)


def _is_number(text: str, most: int) -> bool:
    """Whether a text is a whole number from 1 to `most`."""
    return text.isascii() and text.isdecimal() and len(text) <= 9 and 1 <= int(text) <= most


def _coalesce(variables: Mapping[str, str]) -> bool | None:
    text = variables.get("MODEL_COALESCE", "")
    if text not in ("", "0", "1"):
        problem = _("expected 0 or 1, got {value!r}", value=text)
        fix = _("omit the variable: requests are batched where no answer changes")
        raise SettingsError(problem, where="MODEL_COALESCE", fix=fix)
    return text == "1" if text else None
