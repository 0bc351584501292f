"""projects.explain: refused, since no version here can have an explanationConfig."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from aip_magics import catalog
from aip_magics.errors import FailedPrecondition
from aip_magics.server.api import models, versions
from aip_magics.server.context import get_context, model_key, version_key
from aip_magics.server.conventions import google_json
from aip_magics.server.conventions.error_responses import no_default, violation


async def by_version(request: Request) -> dict[str, Any]:
    row = versions.existing(get_context(request), version_key(request))
    return await _refuse(request, row.key.version)


async def by_model(request: Request) -> dict[str, Any]:
    row = models.existing(get_context(request).store, model_key(request))
    if row.default_version is None:
        raise no_default(row.key.model)
    return await _refuse(request, row.default_version)


async def _refuse(request: Request, version: str) -> dict[str, Any]:
    await google_json.read_body(
        request, catalog.limits().predict_body_bytes
    )  # heard to the end, so that the answer is read
    text = (
        f'The version "{version}" cannot be explained: it was created without explanationConfig, which the embedded '
        "server does not offer. Please use predict."
    )
    raise violation(FailedPrecondition, "name", text)
