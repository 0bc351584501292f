"""The words of a magic's line, and `$name` in them for values of the notebook."""

from __future__ import annotations

import numbers
import os
import shlex
from collections.abc import Mapping
from typing import Any

from aip_magics.commands.common.cell_body import VARIABLE, answering, substitute
from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _

# A value that has no text (a model, a package) stays in the line by its name, behind a sign that nobody types:
# what is typed as `$$name` is the text `$name`, and no variable any more.
_KEPT = "\N{INVISIBLE SEPARATOR}$"
_PLAIN = (str, os.PathLike, numbers.Number)
_ONE_VALUE = ("--origin", "--model-dir")  # a directory or a model: a list typed out would only look like a path
# These take a value that has no text; a word without a flag is left to its command.
_TAKE_OBJECTS = ("", *_ONE_VALUE, "--package-uris")


def split_line(line: str, names: Mapping[str, Any]) -> list[str]:
    """The line's words; one that is wholly `$name` (also after `--flag=`) becomes the value of that variable.

    A text, path or number is put in as it is, a list as `a,b`, a dict as `k=v,k=v`. OptionError where the line has an
    open quotation mark or the flag takes no such value, CellError where there is no such variable.
    """
    try:
        typed = shlex.split(line)
    except ValueError as error:
        text = _("the line cannot be read: {reason}", reason=error)
        raise OptionError(text, where=line, fix=_("close the quotation mark")) from None
    found: list[str] = []
    flag = ""
    for word in typed:
        if word.startswith("--"):
            flag, equals, value = word.partition("=")
            found.append(f"{flag}{equals}{_value(value, names, flag)}" if equals else word)
            flag = "" if equals else flag
        else:
            found.append(_value(word, names, flag))
            flag = ""
    return found


def kept_name(word: object) -> str | None:
    """The variable's name where the word stands for a value that has no text."""
    return word.removeprefix(_KEPT) if isinstance(word, str) and word.startswith(_KEPT) else None


def _value(word: str, names: Mapping[str, Any], flag: str) -> str:
    if not VARIABLE.fullmatch(word) and not word.startswith("$$"):
        return word
    value = substitute(word, names, flag or "line")
    with answering(word, flag or "line"):
        text = _text(value)
    if text is not None and (flag not in _ONE_VALUE or isinstance(value, _PLAIN)):
        return text
    if flag not in _TAKE_OBJECTS:
        from aip_magics.commands.common.staging import class_name

        text = _("{name} is a {kind}, which has no place here", name=word, kind=class_name(value))
        raise OptionError(text, where=flag, fix=_("a text, a number, or a list or dict of these"))
    return f"{_KEPT}{word[1:]}"


def _text(value: Any) -> str | None:
    """The value as it would be typed: lists and maps as gcloud has them. None where that would not say the same."""
    if isinstance(value, _PLAIN):
        return str(value)
    if isinstance(value, Mapping):
        parts, text = [*value.keys(), *value.values()], ",".join(f"{key}={item}" for key, item in value.items())
    elif isinstance(value, (list, tuple)):
        parts, text = list(value), ",".join(map(str, value))
    else:
        return None
    told_apart = all(isinstance(part, _PLAIN) and "," not in str(part) for part in parts)
    return text if parts and told_apart else None
