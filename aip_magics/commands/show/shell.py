"""Helpers of the gcloud and curl scripts: the target's environment variables and quoting for a POSIX shell."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

SERVER_ENV = 'eval "$(aip-magics server env)"'  # endpoint, token file and project, for this shell
TOKEN_FILE = "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE"
STORAGE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE"


def heredoc(content: str) -> list[str]:
    """Return the lines after `<<'EOF'`. JSON never has a line that is only EOF."""
    return [content, "EOF"]


def one_line(data: Any) -> str:
    """Encode JSON on one line."""
    return json.dumps(data, ensure_ascii=False)


def words(*parts: str) -> str:
    """Quote the words of a line for a shell; flags keep their names readable: `--description='a b'`."""
    return " ".join(_word(part) for part in parts)


def _word(part: str) -> str:
    flag, equals, value = part.partition("=")
    if part.startswith("--") and equals:
        return f"{flag}={shlex.quote(value)}"
    return shlex.quote(part)


def exports(values: Mapping[str, str]) -> list[str]:
    """Return a line that exports each environment variable."""
    return [f"export {name}={shlex.quote(value)}" for name, value in values.items()]


def comma_list(values: Sequence[str]) -> str:
    """Join a list for gcloud, with another delimiter if a value has a comma (`gcloud topic escaping`)."""
    if not any("," in value for value in values):
        return ",".join(values)
    delimiter = next(sign for sign in "|;:~@#" if not any(sign in value for value in values))
    return f"^{delimiter}^{delimiter.join(values)}"
