"""Split the line of a magic into arguments, and replace `$name` by variables of the notebook."""

from __future__ import annotations

import numbers
import os
import shlex
from collections.abc import Mapping
from typing import Any

from aip_magics.commands.common.cell_body import VARIABLE, reading_value, substitute
from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _

# argparse passes strings only. An object that cannot be written as text (a model, a package) therefore stays in the
# line as a reference, which is this prefix and the variable's name; `referenced_name` recognizes it after parsing. The
# invisible separator distinguishes a reference from text: users do not type this character, and a typed `$$name` is
# the plain text `$name`.
_REFERENCE_PREFIX = "\N{INVISIBLE SEPARATOR}$"
_PLAIN = (str, os.PathLike, numbers.Number)
# A directory or a model, a file or instances; a list written as text would look like a path.
_ONE_VALUE = ("--origin", "--model-dir", "--instances")
# Options that accept an object. Positional arguments (the empty flag) are checked by their command.
_TAKE_OBJECTS = ("", *_ONE_VALUE, "--package-uris")


def split_line(line: str, names: Mapping[str, Any]) -> list[str]:
    """Split the line into arguments and replace `$name` (also after `--flag=`) by the value of the variable.

    Strings, paths and numbers are inserted as text, a list as `a,b` and a dict as `k=v,k=v`. Other objects become a
    reference that `referenced_name` recognizes.

    Raises:
        OptionError: A quotation mark is not closed, or the option does not accept this value.
        CellError: The variable is not defined.
    """
    try:
        typed = shlex.split(line)
    except ValueError as error:
        text = _("could not parse the line: {reason}", reason=error)
        raise OptionError(text, where=line, fix=_("close the quotation mark")) from None
    arguments: list[str] = []
    flag = ""
    for word in typed:
        if word.startswith("--"):
            flag, equals, value = word.partition("=")
            arguments.append(f"{flag}{equals}{_substitute_word(value, names, flag)}" if equals else word)
            flag = "" if equals else flag
        else:
            arguments.append(_substitute_word(word, names, flag))
            flag = ""
    return arguments


def referenced_name(argument: object) -> str | None:
    """Return the name of the variable if the argument is a reference to an object, else None."""
    is_reference = isinstance(argument, str) and argument.startswith(_REFERENCE_PREFIX)
    return str(argument).removeprefix(_REFERENCE_PREFIX) if is_reference else None


def _substitute_word(word: str, names: Mapping[str, Any], flag: str) -> str:
    if not VARIABLE.fullmatch(word) and not word.startswith("$$"):
        return word
    value = substitute(word, names, flag or "line")
    with reading_value(word, flag or "line"):
        text = _text(value)
    if text is not None and (flag not in _ONE_VALUE or isinstance(value, _PLAIN)):
        return text
    if flag not in _TAKE_OBJECTS:
        from aip_magics.commands.common.staging import class_name

        text = _("{name}: a {kind} cannot be used here", name=word, kind=class_name(value))
        raise OptionError(text, where=flag, fix=_("use a string, a number, or a list or dict of these"))
    return f"{_REFERENCE_PREFIX}{word[1:]}"


def _text(value: Any) -> str | None:
    """Write the value as a user would type it, lists and maps as in gcloud; None if this loses information."""
    if isinstance(value, _PLAIN):
        return str(value)
    if isinstance(value, Mapping):
        parts, text = [*value.keys(), *value.values()], ",".join(f"{key}={item}" for key, item in value.items())
    elif isinstance(value, (list, tuple)):
        parts, text = list(value), ",".join(map(str, value))
    else:
        return None
    unambiguous = all(isinstance(part, _PLAIN) and "," not in str(part) for part in parts)
    return text if parts and unambiguous else None
