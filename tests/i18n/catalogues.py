"""The texts of the code and their translations. As a script it updates and compiles the catalogues.

A text that is new gets an entry without a translation, or with that of a similar text, marked `fuzzy`: translate it,
or reread it and remove the mark, then run the script again. Entries that the code no longer uses are removed.
Dates and line numbers are not written: git keeps the first, and the second would change with every commit.
"""

from __future__ import annotations

import ast
import functools
import io
import re
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

import aip_magics
from aip_magics import i18n

PACKAGE = Path(aip_magics.__file__).parent
TEMPLATE = i18n.LOCALE_DIRECTORY / f"{i18n.DOMAIN}.pot"
OTHERS = [language for language in i18n.LANGUAGES if language != "en"]

# Which arguments of which calls are texts. The help of a verb is translated where it is shown.
CALLS = {"_": (0,), "ngettext": (0, 1), "Verb": (0,)}
LOOKED_UP = {"VERBS[self.name].help", "verb.help", "VERBS[verb].help"}

# Dates and versions, and fields that nobody fills in.
HEADERS = r"POT-Creation-Date|PO-Revision-Date|Generated-By|Report-Msgid-Bugs-To|Last-Translator|Language-Team"


def source_of(language: str) -> Path:
    """The catalogue that translators edit."""
    return i18n.LOCALE_DIRECTORY / language / "LC_MESSAGES" / f"{i18n.DOMAIN}.po"


def extract() -> Catalog:
    """Every template of the code, with the files it is in.

    Babel's own extraction reads tokens and misses calls inside of f-strings, so the syntax tree is walked here.
    """
    catalogue = Catalog(fuzzy=False, header_comment="# The texts of aip-magics, extracted by tests/i18n/catalogues.py.")
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE.parent).as_posix()
        for node in calls_in(path):
            if isinstance(node.func, ast.Name) and node.func.id in CALLS:
                texts = [literal(node, index, f"{name}:{node.lineno}") for index in CALLS[node.func.id]]
                if all(texts):
                    id = tuple(texts) if len(texts) > 1 else texts[0]
                    if texts[0] in catalogue and catalogue[texts[0]].id != id:  # gettext would find one of them only
                        raise ValueError(f"{name}:{node.lineno}: {texts[0]!r} also has another plural form, or none")
                    catalogue.add(id, locations=[(name, node.lineno)])
    return catalogue


@functools.cache
def calls_in(path: Path) -> list[ast.Call]:
    """All calls in a file. They are kept, since parsing the package takes a second."""
    return [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]


def literal(call: ast.Call, index: int, where: str) -> str:
    """The text that a call has as this argument; empty if it is one that is looked up."""
    argument = call.args[index] if index < len(call.args) else None
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str) and argument.value:
        return argument.value
    if argument is not None and ast.unparse(argument) in LOOKED_UP:
        return ""
    raise ValueError(f"{where}: {ast.unparse(call)}: argument {index + 1} is not a literal text")


def texts_of(catalogue: Catalog) -> set[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Templates and translations, each with its plural form where it has one. Babel has lists or tuples of these."""
    both = ((message.id, message.string) for message in catalogue if message.id)
    return {tuple((text,) if isinstance(text, str) else tuple(text) for text in pair) for pair in both}  # type: ignore[misc]


def read(path: Path) -> Catalog:
    """A catalogue or the template."""
    with path.open("rb") as file:
        return read_po(file, abort_invalid=True)


def write(catalogue: Catalog, path: Path) -> None:
    """Write a catalogue or the template in a form that changes only with the texts."""
    for message in catalogue:
        message.flags.discard("python-format")  # a guess of Babel's at "100 % of": values are `{name}` everywhere
    file = io.BytesIO()
    write_po(file, catalogue, width=0, sort_by_file=True, include_lineno=False, ignore_obsolete=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = re.sub(rf'^"(?:{HEADERS}): .*"\n', "", file.getvalue().decode(), flags=re.MULTILINE)
    text = re.sub(r"^\"Project-Id-Version: .*(?=\\n\"$)", '"Project-Id-Version: aip-magics', text, flags=re.MULTILINE)
    path.write_text(text, "utf-8")


def update(language: str, template: Catalog) -> Catalog:
    """Bring a language's catalogue up to the template, or begin one."""
    source = source_of(language)
    catalogue = read(source) if source.exists() else Catalog(locale=language, fuzzy=False)
    catalogue.update(template)
    write(catalogue, source)
    with source.with_suffix(".mo").open("wb") as compiled:
        write_mo(compiled, catalogue)
    return catalogue


def main() -> None:
    template = extract()
    write(template, TEMPLATE)
    for language in OTHERS:
        catalogue = update(language, template)
        to_do = [message for message in catalogue if message.id and (message.fuzzy or not all(translations(message)))]
        print(f"{language}: {len(catalogue)} texts, {len(to_do)} to translate or reread")  # noqa: T201
        for message in to_do:
            print(f"  {message.id!r}")  # noqa: T201


def templates(message: object) -> tuple[str, ...]:
    """The English forms of a message: one, or singular and plural."""
    return message.id if isinstance(message.id, tuple) else (message.id,)


def translations(message: object) -> tuple[str, ...]:
    """The translated forms of a message, as many as its language has."""
    return message.string if isinstance(message.string, tuple) else (message.string,)


def entries(language: str) -> dict[str, str]:
    """English template → translated template, from the source; of a text with plural forms the last of each."""
    catalogue = read(source_of(language))
    return {templates(message)[-1]: translations(message)[-1] for message in catalogue if message.id}


if __name__ == "__main__":
    main()
