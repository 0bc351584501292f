"""Rules about the names of models and versions, and about labels."""

from __future__ import annotations

import re

from aip_magics import catalog
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Outcomes
from aip_magics.checks.rule import error, rule
from aip_magics.checks.rules.names import label_findings, last_part
from aip_magics.client.vertex.ids import DEFAULT_ALIAS, is_model_id, sanitize_model_id, version_alias
from aip_magics.i18n import gettext as _
from aip_magics.targets.vertex import links


@rule("V33", "invalid-model-id", link=links.API_UPLOAD, target="vertex")
def invalid_model_id(context: CheckContext) -> Outcomes:
    """The model's name becomes its id: at most 63 lower-case letters, digits, `_` and `-`, not starting with a digit.

    Neither may an id start with `-`.
    """
    name = last_part(context.model.name or "")
    if not name or is_model_id(name):
        return []
    most = catalog.vertex_limits().model_id_chars
    if len(name) > most:
        text = _("the name has {count} characters; the maximum is {most}", count=len(name), most=most)
    else:
        text = _(
            "invalid model ID {name!r}: expected lower-case letters, digits, `_` and `-`, not starting with a digit",
            name=name,
        )
    return [error("model.name", text, _("use {name}", name=sanitize_model_id(name)))]


@rule("V32", "invalid-version-alias", link=links.API_MODEL, target="vertex")
def invalid_version_alias(context: CheckContext) -> Outcomes:
    """The version's name becomes an alias of Vertex AI's numbered version: `v1_2` is `v1-2`.

    An alias starts with a letter, has at least two letters, digits and `-`, and does not end in `-`. The alias
    `default` is Vertex AI's own.
    """
    name = last_part(context.version.name or "")
    if not name:
        return []
    field, alias = "version.name", version_alias(name)
    if alias is None:
        text = _(
            "invalid version alias {name!r}: expected at least two letters, digits and `-`, starting with a letter",
            name=name,
        )
        return [error(field, text, _("use {name}", name=_alias_for(name)))]
    if alias == DEFAULT_ALIAS:
        text = _("Vertex AI gives the alias {name} itself, to the default version of a model", name=DEFAULT_ALIAS)
        return [error(field, text, _("use {name}", name="v1"))]
    return []


@rule("V34", "invalid-vertex-label", link=links.API_MODEL, target="vertex")
def invalid_vertex_label(context: CheckContext) -> Outcomes:
    """Keys and values of labels have at most 64 lower-case letters, digits, `_` and `-`; a key starts with a letter."""
    return list(label_findings(context, catalog.vertex_limits().label_chars, error))


def _alias_for(name: str) -> str:
    """Return a valid alias for a name that has none: `v1` for `1`, `a1` for `a`."""
    text = re.sub("[^a-z0-9]+", "-", name.lower())[: catalog.vertex_limits().alias_chars - 1].strip("-")
    alias = text if text[:1].isalpha() else f"v{text}"
    return alias if len(alias) > 1 else f"{alias}1"
