"""projects.getConfig, and project numbers."""

from __future__ import annotations

import hashlib
from typing import Any

from starlette.requests import Request

from aip_magics.spec import Int64


async def get_config(request: Request) -> dict[str, Any]:
    """projects.getConfig: the service agent, under its name in the service; the server does not use it."""
    number = get_project_number(request.path_params["project"])
    return {
        "serviceAccount": f"service-{number}@cloud-ml.google.com.iam.gserviceaccount.com",
        "serviceAccountProject": str(number),
        "config": {"tpuServiceAccount": f"service-{number}@cloud-tpu.iam.gserviceaccount.com"},
    }


def get_project_number(project: str) -> Int64:
    """Derive a 12-digit number from a project id, always the same for the same id; a numeric id is returned as is."""
    if project.isascii() and project.isdecimal() and len(project) <= 18:
        return Int64(project)
    digest = hashlib.blake2b(project.encode("utf-8", "replace"), digest_size=8).digest()
    return Int64(10**11 + int.from_bytes(digest, "big") % (9 * 10**11))
