"""What gcloud's and curl's lines have in common: where they are sent, and quoting for a POSIX shell."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aip_magics.targets import Target

SERVER_ENV = 'eval "$(aip-magics server env)"'  # endpoint, token file and project, for this shell
TOKEN_FILE = "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE"
ML = "CLOUDSDK_API_ENDPOINT_OVERRIDES_ML"
STORAGE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE"


def heredoc(content: str) -> list[str]:
    """The lines that follow `<<'EOF'`; JSON has no line that says EOF alone."""
    return [content, "EOF"]


def one_line(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False)


def words(*parts: str) -> str:
    """The words as a shell reads them back; a flag keeps its name readable: `--description='a b'`."""
    return " ".join(_word(part) for part in parts)


def _word(part: str) -> str:
    flag, equals, value = part.partition("=")
    if part.startswith("--") and equals:
        return f"{flag}={shlex.quote(value)}"
    return shlex.quote(part)


def exports(values: Mapping[str, str]) -> list[str]:
    return [f"export {name}={shlex.quote(value)}" for name, value in values.items()]


def is_local(target: Target) -> bool:
    return target.kind == "local"
