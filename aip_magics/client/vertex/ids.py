"""Ids of Vertex AI, made from the names of a deployment: of models and endpoints, and the aliases of versions."""

from __future__ import annotations

import re
import unicodedata

from aip_magics import catalog

MODEL_ID = re.compile(r"[a-z_][a-z0-9_-]*")
ALIAS = re.compile(r"[a-z][a-zA-Z0-9-]*[a-z0-9]")
MAX_ENDPOINT_CHARS = 63
DEFAULT_ALIAS = "default"  # the alias that Vertex AI itself gives to one version of each model


def version_alias(name: str) -> str | None:
    """Return the version alias for the name of a version: `v1-2` for `v1_2`; None if it would not be a valid alias."""
    alias = name.replace("_", "-").lower().strip("-")
    return alias if is_alias(alias) else None


def is_alias(text: str) -> bool:
    """Whether a text can be the alias of a version."""
    return ALIAS.fullmatch(text) is not None and len(text) <= catalog.vertex_limits().alias_chars


def is_model_id(text: str) -> bool:
    """Whether a text can be the id of a model."""
    return MODEL_ID.fullmatch(text) is not None and len(text) <= catalog.vertex_limits().model_id_chars


def sanitize_model_id(text: str) -> str:
    """Return a valid id of a model for a text: `iris_2` for `Iris 2`."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9_-]+", "_", ascii_text).strip("_-")
    if not name or not name[0].isalpha():
        name = f"model_{name}".rstrip("_")
    return name[: catalog.vertex_limits().model_id_chars]


def endpoint_id(model: str) -> str:
    """Return the id of a model's endpoint: `my-iris` for `my_iris`, since an endpoint's id has no `_`.

    It begins with a letter and has at most 63 characters.
    """
    text = re.sub("[^a-z0-9-]+", "-", model.lower()).strip("-")
    return (text if text[:1].isalpha() else f"m-{text}".rstrip("-"))[:MAX_ENDPOINT_CHARS].rstrip("-")
