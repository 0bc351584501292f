"""Parse the split of a model's traffic: `v2=10 v1=90`, whole percentages that add up to 100."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _
from aip_magics.spec import nearest
from aip_magics.wording import join_names

ALL = 100  # percent


def parse_split(words: Sequence[str], version_id: Callable[[str], str] = str) -> dict[str, int]:
    """Parse `VERSION=PERCENT` arguments to percent by version, without versions that get nothing.

    `version_id` gives the ID of a version from its name as it is typed.

    OptionError, whose `where` is the argument, for one that is malformed, given twice or not between 0 and 100, and if
    the percentages do not add up to 100.
    """
    split = dict[str, int]()
    for word in words:
        version, equals, text = word.partition("=")
        version, text = version.strip(), text.strip().removesuffix("%")
        if not (version and equals and text):
            text = _("expected VERSION=PERCENT, got {word!r}", word=word)
            raise OptionError(text, where=word, fix=_("use the form {example}", example="v2=10 v1=90"))
        if not re.fullmatch(r"[+-]?[0-9]{1,9}", text, re.ASCII):
            message = _("{text!r} is not a whole number", text=text)
            raise OptionError(
                message, where=word, fix=_("use a whole number between {least} and {most}", least=0, most=ALL)
            )
        percent = int(text)
        if not 0 <= percent <= ALL:
            message = _("must be between {least} and {most}, got {value}", least=0, most=ALL, value=percent)
            raise OptionError(
                message, where=word, fix=_("use a whole number between {least} and {most}", least=0, most=ALL)
            )
        version = version_id(version)
        if version in split:
            message = _("version {version} is given twice", version=version)
            raise OptionError(message, where=word, fix=_("give each version one percentage"))
        split[version] = percent
    if (total := sum(split.values())) != ALL:
        message = _("the percentages must add up to 100, got {total}", total=total)
        raise OptionError(message, where=" ".join(words), fix=_("change one of them so that the sum is 100"))
    return {version: percent for version, percent in split.items() if percent}


def format_split(split: Mapping[str, int]) -> str:
    """Write a split as it is typed, the largest share first: `v1=90 v2=10`."""
    return " ".join(f"{version}={percent}" for version, percent in sort_split(split).items())


def sort_split(split: Mapping[str, int]) -> dict[str, int]:
    """Sort a split by its percentages, the largest first."""
    return dict(sorted(split.items(), key=lambda item: (-item[1], item[0])))


def check_versions(split: Mapping[str, int], existing: Sequence[str], model: str) -> None:
    """OptionError for a version of a split that does not exist."""
    for version in split:
        if version not in existing:
            text = _("version {version} of model {model} does not exist", version=version, model=model)
            fix = nearest(version, list(existing)) or _("use one of {names}", names=join_names(existing))
            raise OptionError(text, where=f"{model}/{version}", fix=fix)
