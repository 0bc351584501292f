"""projects.getConfig, and the number that a project has."""

from __future__ import annotations

import hashlib
from typing import Any

from starlette.requests import Request

from aip_magics.spec import Int64


async def get_config(request: Request) -> dict[str, Any]:
    """The service agent, under the name it had at the service; nothing here runs as it."""
    number = number_of(request.path_params["project"])
    return {
        "serviceAccount": f"service-{number}@cloud-ml.google.com.iam.gserviceaccount.com",
        "serviceAccountProject": str(number),
        "config": {"tpuServiceAccount": f"service-{number}@cloud-tpu.iam.gserviceaccount.com"},
    }


def number_of(project: str) -> Int64:
    """Twelve digits, always the same for the same project id; a number given as the id is the number."""
    if project.isascii() and project.isdecimal() and len(project) <= 18:
        return Int64(project)
    digest = hashlib.blake2b(project.encode("utf-8", "replace"), digest_size=8).digest()
    return Int64(10**11 + int.from_bytes(digest, "big") % (9 * 10**11))
