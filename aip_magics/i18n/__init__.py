"""Translation of user-facing texts: English in the code, one gettext catalogue per further language.

`_("uploaded {name}", name="a")` looks its template up in the current language's catalogue and fills in the values;
`ngettext` does so for texts that depend on a number. Names of the API, flags, file names and values are not
translated, and neither are the texts of the embedded server: they are the API's.

Templates are literals at the place of use, so that Babel extracts them (`python tests/i18n/catalogues.py`) and a test
fails for each that a catalogue lacks. `locale/*/LC_MESSAGES/aip_magics.po` is compiled to the `.mo` that is read here
when the package is installed or built (`hatch_build.py`).
"""

from __future__ import annotations

import functools
import gettext as gnu_gettext
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aip_magics.i18n import korean_particles

LANGUAGES = ("en", "ko")
DOMAIN = "aip_magics"
LOCALE_DIRECTORY = Path(__file__).parent / "locale"

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
    return _filled(_translations(_chosen).gettext(template), values)


def ngettext(singular: str, plural: str, number: int, /, **values: Any) -> str:
    """Translate the template for `number` things; both templates may use `{number}`, grouped by thousands."""
    template = _translations(_chosen).ngettext(singular, plural, number)
    return _filled(template, {"number": f"{number:,}", **values})


def translate_known(template: str, values: Mapping[str, str]) -> str:
    """Translate a template that comes from another process; "" if the catalogue lacks it or the values do not fit."""
    translated = _translations(_chosen).gettext(template)
    try:
        return _filled(translated, values) if translated != template else ""
    except (LookupError, ValueError, AttributeError):
        return ""


def _filled(template: str, values: Mapping[str, Any]) -> str:
    text = template.format(**values) if values else template
    return korean_particles.fix_particles(text) if _chosen == "ko" else text


@functools.cache
def _translations(language: str) -> gnu_gettext.NullTranslations:
    """The compiled catalogue, read at the first text in its language; English if it is not compiled."""
    if language == "en":
        return gnu_gettext.NullTranslations()
    source = LOCALE_DIRECTORY / language / "LC_MESSAGES" / f"{DOMAIN}.po"
    compiled = source.with_suffix(".mo")
    # Only a checkout has the source; an installed wheel has the compiled catalogue alone, which cannot be outdated.
    missing = not compiled.exists()
    if missing or (source.exists() and source.stat().st_mtime > compiled.stat().st_mtime):
        state = "is not compiled" if missing else "has changed since it was compiled"
        command = f"pybabel compile -D {DOMAIN} -d {LOCALE_DIRECTORY}"
        warnings.warn(f"the catalogue of the language {language!r} {state}; run `{command}`", stacklevel=3)
    return gnu_gettext.translation(DOMAIN, LOCALE_DIRECTORY, [language], fallback=True)
