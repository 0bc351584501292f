"""Translation of every text a user reads: English in the code, other languages as catalogues beside it.

`_("uploaded {name}", name="a")` looks its template up in the catalogue of the current language (`ko/*.toml`, English
template = translated template) and fills in the values; `ngettext` does so for texts that depend on a number. Names
of the API, flags, file names and values stay as they are, and so do the texts of the embedded server: they are the
API's.

Templates are literals at the place of use, so that a test finds them all and sees that no catalogue lacks one.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aip_magics.i18n import korean_particles

LANGUAGES = ("en", "ko")

_chosen = "en"


def choose(variables: Mapping[str, str], configured: str | None = None) -> str:
    """The language for this user: configuration ▸ AIP_MAGICS_LANG ▸ the locale's variables ▸ English."""
    for value in (configured, *map(variables.get, ("AIP_MAGICS_LANG", "LC_ALL", "LC_MESSAGES", "LANG"))):
        if value:
            language = value.replace("-", "_").partition("_")[0].partition(".")[0].lower()
            return language if language in LANGUAGES else "en"
    return "en"


def use(language: str) -> None:
    """Make this language (one of LANGUAGES) the current one of this process."""
    if language not in LANGUAGES:
        raise ValueError(f"{language!r} is not one of {LANGUAGES}")
    global _chosen
    _chosen = language


def current_language() -> str:
    """The language in use."""
    return _chosen


def gettext(template: str, /, **values: Any) -> str:
    """Translate a template to the current language and fill in its `{name}` as `str.format` does."""
    if _chosen != "en":
        template = catalogue(_chosen).get(template, template)
    return _filled(template, values)


def ngettext(singular: str, plural: str, number: int, /, **values: Any) -> str:
    """Translate the template for `number` things; both templates may use `{number}`, grouped by thousands."""
    template = singular if number == 1 else plural
    if _chosen != "en":  # a catalogue's key is the plural
        template = catalogue(_chosen).get(plural, template)
    return _filled(template, {"number": f"{number:,}", **values})


def _filled(template: str, values: Mapping[str, Any]) -> str:
    text = template.format(**values) if values else template
    return korean_particles.fix_particles(text) if _chosen == "ko" else text


@functools.cache
def catalogue(language: str) -> Mapping[str, str]:
    """All entries of a language, English template → translated template."""
    # tomllib came with Python 3.11; tomli is the same parser for 3.10.
    parser = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    entries: dict[str, str] = {}
    for file in sorted((Path(__file__).parent / language).glob("*.toml")):
        entries.update(parser.loads(file.read_text("utf-8")))
    return entries
