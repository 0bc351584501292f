"""Rules about the names of models and versions, and about labels."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aip_magics import catalog
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Finding, Outcomes
from aip_magics.checks.rule import error, rule
from aip_magics.checks.rules.names import has_label_chars, use_label_fix
from aip_magics.client.vertex.ids import DEFAULT_ALIAS, is_model_id, sanitize_model_id, version_alias
from aip_magics.i18n import gettext as _
from aip_magics.resource_names import is_full
from aip_magics.targets.vertex import links


@rule("V33", "invalid-model-id", link=links.API_UPLOAD, target="vertex")
def invalid_model_id(context: CheckContext) -> Outcomes:
    """The model's name becomes its id: at most 63 lower-case letters, digits, `_` and `-`, not starting with a digit.

    Neither may an id start with `-`.
    """
    name = _last(context.model.name or "")
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
    name = _last(context.version.name or "")
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
    resources = (("model.labels", context.model.labels), ("version.labels", context.version.labels))
    return [
        finding
        for field, labels in resources
        for key, value in (labels or {}).items()
        for finding in _label(field, key, str(value))
    ]


def _last(name: str) -> str:
    return name.rsplit("/", 1)[-1] if is_full(name) else name


def _alias_for(name: str) -> str:
    """Return a valid alias for a name that has none: `v1` for `1`, `a1` for `a`."""
    text = re.sub("[^a-z0-9]+", "-", name.lower())[: catalog.vertex_limits().alias_chars - 1].strip("-")
    alias = text if text[:1].isalpha() else f"v{text}"
    return alias if len(alias) > 1 else f"{alias}1"


def _label(field: str, key: str, value: str) -> Iterator[Finding]:
    most = catalog.vertex_limits().label_chars
    where = f"{field}.{key}"
    if len(key) > most:
        text = _("label key has {count} characters; the maximum is {most}", count=len(key), most=most)
        yield error(where, text, _("shorten the key"))
    elif not has_label_chars(key):
        text = _("label key {text!r} has characters other than lower-case letters, digits, `_` and `-`", text=key)
        yield error(where, text, use_label_fix(key))
    if len(value) > most:
        text = _("label value has {count} characters; the maximum is {most}", count=len(value), most=most)
        yield error(where, text, _("shorten the value"))
    elif not has_label_chars(value):
        text = _("label value {text!r} has characters other than lower-case letters, digits, `_` and `-`", text=value)
        yield error(where, text, use_label_fix(value))
    if not key[:1].isalpha():
        text = _("label key {key!r} does not start with a letter", key=key)
        yield error(where, text, _("start the key with a letter"))
