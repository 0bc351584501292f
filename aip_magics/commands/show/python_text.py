"""Values as source text of a Python program."""

from __future__ import annotations

import json
import pprint
from collections.abc import Mapping
from typing import Any


def literal(body: Mapping[str, Any] | bytes | None) -> str:
    """Write the body of a request, JSON or its bytes, as a literal."""
    data = json.loads(body) if isinstance(body, bytes) else dict(body or {})
    return pprint.pformat(data, width=100, sort_dicts=False, compact=True)
