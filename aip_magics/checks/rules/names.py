"""Rules about names and labels."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

from aip_magics import catalog
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Finding, Outcomes
from aip_magics.checks.rule import error, rule, warning
from aip_magics.i18n import gettext as _
from aip_magics.resource_names import RESOURCE, is_full


@rule("M02", "invalid-resource-name", link=links.NAMES)
def invalid_resource_name(context: CheckContext) -> Outcomes:
    """Names of models and versions must start with a letter and contain only letters, digits and underscores.

    The limit of 128 characters is inferred, so longer names are only a warning.
    """
    names = (("model.name", context.model.name, "m"), ("version.name", context.version.name, "v"))
    return [finding for field, name, prefix in names if name for finding in _name(field, last_part(name), prefix)]


@rule("F02", "invalid-label", link=links.LABELS)
def invalid_label(context: CheckContext) -> Outcomes:
    """There must be at most 64 labels; keys and values have at most 63 lower-case letters, digits, `_` and `-`.

    A key must start with a letter. These are the rules for labels of Google Cloud in general, so this is a warning.
    """
    resources = (("model.labels", context.model.labels), ("version.labels", context.version.labels))
    found: list[Finding] = []
    for field, labels in resources:
        most = catalog.limits().labels
        if labels and len(labels) > most:
            found.append(
                warning(
                    field,
                    _("found {count} labels; the maximum is {most}", count=len(labels), most=most),
                    _("remove some labels"),
                )
            )
    return [*found, *label_findings(context, catalog.limits().label_chars, warning)]


def sanitize_name(text: str, prefix: str = "m") -> str:
    """Return a valid name for a text: `iris_model` for `iris-model`, `v1` for `1` (with the prefix `v`)."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9]+", "_", ascii_text).strip("_")
    if not name:
        return "model" if prefix == "m" else "v1"
    if not name[0].isalpha():
        name = prefix + ("" if prefix == "v" else "_") + name
    return name[: catalog.limits().name_chars]


def last_part(name: str) -> str:
    """The ID in a full name; another name as it is."""
    return name.rsplit("/", 1)[-1] if is_full(name) else name


def _name(field: str, name: str, prefix: str) -> Iterator[Finding]:
    most = catalog.limits().name_chars
    if not RESOURCE.fullmatch(name):
        text = _(
            "invalid name {name!r}: a name must start with a letter and contain only letters, numbers and underscores",
            name=name,
        )
        yield error(field, text, _("use {name}", name=sanitize_name(name, prefix)))
    elif len(name) > most:
        yield warning(
            field,
            _("the name has {count} characters; at most {most} are known to work", count=len(name), most=most),
            _("shorten the name"),
        )


def label_findings(context: CheckContext, most: int, finding: Callable[[str, str, str], Finding]) -> Iterator[Finding]:
    """Check keys and values of the labels of model and version, which have at most so many characters.

    `finding` builds a finding, of the severity that the target needs.
    """
    for resource, labels in (("model", context.model.labels), ("version", context.version.labels)):
        for key, value in (labels or {}).items():
            yield from _label(f"{resource}.labels.{key}", key, str(value), most, finding)


def _label(
    where: str, key: str, value: str, most: int, finding: Callable[[str, str, str], Finding]
) -> Iterator[Finding]:
    if len(key) > most:
        text = _("label key has {count} characters; the maximum is {most}", count=len(key), most=most)
        yield finding(where, text, _("shorten the key"))
    elif not _has_label_chars(key):
        text = _("label key {text!r} has characters other than lower-case letters, digits, `_` and `-`", text=key)
        yield finding(where, text, _use_label_fix(key))
    if len(value) > most:
        text = _("label value has {count} characters; the maximum is {most}", count=len(value), most=most)
        yield finding(where, text, _("shorten the value"))
    elif not _has_label_chars(value):
        text = _("label value {text!r} has characters other than lower-case letters, digits, `_` and `-`", text=value)
        yield finding(where, text, _use_label_fix(value))
    if not key[:1].isalpha():
        text = _("label key {key!r} does not start with a letter", key=key)
        yield finding(where, text, _("start the key with a letter"))


def _has_label_chars(text: str) -> bool:
    return all(char in "_-" or char.isdigit() or (char.isalpha() and not char.isupper()) for char in text)


def _use_label_fix(text: str) -> str:
    return _("use {name}", name=re.sub("[^a-z0-9_-]+", "-", text.lower()))
