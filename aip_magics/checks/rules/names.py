"""Rules about names and labels."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from aip_magics import catalog
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Finding, Outcomes
from aip_magics.checks.rule import error, rule, warning
from aip_magics.i18n import gettext as _
from aip_magics.resource_names import RESOURCE, is_full


@rule("M02", link=links.NAMES)
def resource_names(context: CheckContext) -> Outcomes:
    """Names of models and versions start with a letter and have letters, digits and underscores only.

    At most 128 characters (remembered, so longer ones only warn).
    """
    names = (("model.name", context.model.name, "m"), ("version.name", context.version.name, "v"))
    return [finding for field, name, prefix in names if name for finding in _name(field, _last(name), prefix)]


@rule("F02", link=links.LABELS)
def labels(context: CheckContext) -> Outcomes:
    """Labels are at most 64; keys and values have at most 63 lower-case letters, digits, `_` and `-`.

    A key starts with a letter. The rule is that of all Google Cloud labels; it only warns.
    """
    resources = (("model.labels", context.model.labels), ("version.labels", context.version.labels))
    found: list[Finding] = []
    for field, given in resources:
        most = catalog.limits().labels
        if given and len(given) > most:
            found.append(
                warning(
                    field,
                    _("there are {count} labels; {most} are allowed", count=len(given), most=most),
                    _("leave some out"),
                )
            )
        for key, value in (given or {}).items():
            found += _label(field, key, str(value))
    return found


def sanitize_name(text: str, prefix: str = "m") -> str:
    """A legal name like this one: `iris-model` becomes `iris_model`, `1` becomes `v1` (with the prefix `v`)."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9]+", "_", ascii_text).strip("_")
    if not name:
        return "model" if prefix == "m" else "v1"
    if not name[0].isalpha():
        name = prefix + ("" if prefix == "v" else "_") + name
    return name[: catalog.limits().name_chars]


def _last(name: str) -> str:
    return name.rsplit("/", 1)[-1] if is_full(name) else name


def _name(field: str, name: str, prefix: str) -> Iterator[Finding]:
    most = catalog.limits().name_chars
    if not RESOURCE.fullmatch(name):
        text = _(
            "{name!r} is not a name: it should start with a letter and contain only letters, numbers and underscores",
            name=name,
        )
        yield error(field, text, _("use {name}", name=sanitize_name(name, prefix)))
    elif len(name) > most:
        yield warning(
            field,
            _("the name has {count} characters; {most} are known to work", count=len(name), most=most),
            _("shorten it"),
        )


def _label(field: str, key: str, value: str) -> Iterator[Finding]:
    most = catalog.limits().label_chars
    for what, text in ((_("key"), key), (_("value"), value)):
        if len(text) > most:
            yield warning(
                f"{field}.{key}",
                _("the {what} has {count} characters; {most} are allowed", what=what, count=len(text), most=most),
                _("shorten it"),
            )
        elif not all(char in "_-" or char.isdigit() or (char.isalpha() and not char.isupper()) for char in text):
            told = _("the {what} {text!r} has more than lower-case letters, digits, `_` and `-`", what=what, text=text)
            yield warning(f"{field}.{key}", told, _("use {name}", name=re.sub("[^a-z0-9_-]+", "-", text.lower())))
    if not key[:1].isalpha():
        yield warning(
            f"{field}.{key}", _("the key {key!r} does not start with a letter", key=key), _("put a letter first")
        )
