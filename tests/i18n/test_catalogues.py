"""The catalogues have every text of the code, once, with the same values in it, and nothing else; and are compiled."""

from __future__ import annotations

import os
import re
import shlex
import string
import subprocess
import sys
import warnings
from pathlib import Path

import catalogues
import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import read_mo
from catalogues import OTHERS, templates, translations

from aip_magics import i18n
from aip_magics.commands.verbs import VERBS

pytestmark = pytest.mark.slow  # reads all texts of the package

UPDATE = "run: python tests/i18n/catalogues.py"


@pytest.fixture(scope="module")
def template() -> Catalog:
    return catalogues.extract()


def messages(catalogue: Catalog) -> list[Message]:
    """All messages but the header."""
    return [message for message in catalogue if message.id]


@pytest.fixture(params=OTHERS)
def language(request) -> str:
    return request.param


@pytest.fixture
def catalogue(language: str) -> Catalog:
    return catalogues.read(catalogues.source_of(language))


def fields(template: str) -> set[tuple[str, str]]:
    """The values in a template with their formats: languages put words in other places."""
    parsed = string.Formatter().parse(template)
    return {(name, f"{conversion}:{spec}") for _, name, spec, conversion in parsed if name is not None}


def missing(template: Catalog, catalogue: Catalog) -> list[str]:
    known = {templates(message) for message in messages(catalogue) if all(translations(message))}
    return [
        f"{message.locations[0][0]}: {message.id!r}"
        for message in messages(template)
        if templates(message) not in known
    ]


def differing_values(catalogue: Catalog) -> list[str]:
    """Translations with other values than their template; a number of one thing may be spelled out."""
    wrong = []
    for message in messages(catalogue):
        first, last = templates(message)[0], templates(message)[-1]
        if len(templates(message)) > 1 and not fields(first) <= fields(last):
            wrong.append(first)
        # Without a value of its own a template is not filled in: braces in it are text.
        wrong += [
            text
            for text in translations(message)
            if ("{" in last or "{" in text) and text and fields(text) != fields(last)
        ]
    return wrong


def test_no_text_is_missing(catalogue, template):
    assert missing(template, catalogue) == [], UPDATE


def test_no_entry_is_unused(catalogue, template):
    used = {templates(message) for message in messages(template)}
    assert [message.id for message in messages(catalogue) if templates(message) not in used] == [], UPDATE


def test_the_help_of_every_verb_is_extracted(template):
    extracted = {text for message in messages(template) for text in templates(message)}
    assert {verb.help for verb in VERBS.values()} <= extracted


def test_translations_have_the_values_of_their_template(catalogue):
    assert differing_values(catalogue) == []


def test_no_entry_is_fuzzy_or_obsolete(catalogue):
    assert [message.id for message in catalogue if message.fuzzy] == [], "reread them and remove the mark `fuzzy`"
    assert list(catalogue.obsolete) == [], UPDATE


def test_a_text_has_one_entry(language, catalogue):
    # Babel merges entries of the same text, so they are counted in the file.
    lines = catalogues.source_of(language).read_text("utf-8").splitlines()
    assert len(re.findall(r"^msgid ", "\n".join(lines), re.MULTILINE)) == len(messages(catalogue)) + 1


def test_korean_has_one_plural_form():
    korean = catalogues.read(catalogues.source_of("ko"))
    assert (korean.num_plurals, str(korean.locale)) == (1, "ko")


def test_the_template_is_up_to_date(template):
    kept = catalogues.read(catalogues.TEMPLATE)
    assert {templates(message) for message in messages(kept)} == {templates(message) for message in messages(template)}


def test_the_compiled_catalogue_is_up_to_date(language, catalogue):
    path = catalogues.source_of(language).with_suffix(".mo")
    assert path.exists(), UPDATE
    with path.open("rb") as file:
        compiled = read_mo(file)
    assert catalogues.texts_of(compiled) == catalogues.texts_of(catalogue), UPDATE


# What the tests above would find.


def test_a_missing_or_empty_text_is_found():
    template, catalogue = Catalog(), Catalog(locale="ko")
    for text in ("known", "empty", "absent", ("{number} file", "{number} files")):
        template.add(text, locations=[("a.py", 1)])
    catalogue.add("known", "x")
    catalogue.add("empty", "")
    catalogue.add(("{number} file", "{number} files"), ("",))
    assert len(missing(template, catalogue)) == 3


def test_other_values_are_found_in_every_form():
    catalogue = Catalog(locale="ko")
    catalogue.add("{a} of {b:,}", "{b}: {a}")
    catalogue.add(("one file in {x}", "{number} files"), ("{number}",))
    catalogue.add(("1 object", "{number} objects"), ("{count}",))
    catalogue.add("{name} stays", "{name}")
    catalogue.add("put it in { }", "{ }")
    assert differing_values(catalogue) == ["{b}: {a}", "one file in {x}", "{count}"]


def test_a_template_that_is_not_literal_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogues, "PACKAGE", tmp_path)
    (tmp_path / "a.py").write_text("""print(f"{_('found')}", ngettext("1 a", "{number} a", 2))""")
    assert {templates(message) for message in messages(catalogues.extract())} == {("found",), ("1 a", "{number} a")}
    (tmp_path / "b.py").write_text("_(text)")
    with pytest.raises(ValueError, match=r"b\.py:1: _\(text\): argument 1 is not a literal text"):
        catalogues.extract()


def test_a_text_with_two_plural_forms_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogues, "PACKAGE", tmp_path)
    (tmp_path / "a.py").write_text('ngettext("a file", "{number} files", 2)\nngettext("a file", "{number} files", 3)')
    assert len(messages(catalogues.extract())) == 1
    (tmp_path / "b.py").write_text('_("a file")')
    with pytest.raises(ValueError, match=r"b\.py:1: 'a file' also has another plural form, or none"):
        catalogues.extract()


def test_an_update_keeps_translations_and_marks_those_of_similar_texts(tmp_path, monkeypatch):
    monkeypatch.setattr(i18n, "LOCALE_DIRECTORY", tmp_path)
    template = Catalog()
    for text in ("the model is uploaded", "gone", "kept", ("1 file", "{number} files")):
        template.add(text)
    catalogues.update("ko", template)
    source = catalogues.source_of("ko")
    source.write_text(re.sub(r'(?<=msgid "kept"\nmsgstr )""', '"유지됨"', source.read_text("utf-8")), "utf-8")
    source.write_text(
        source.read_text("utf-8").replace('uploaded"\nmsgstr ""', 'uploaded"\nmsgstr "업로드됨"'), "utf-8"
    )
    changed = Catalog()
    for text in ("the models are uploaded", "kept"):
        changed.add(text)
    updated = catalogues.update("ko", changed)
    assert [(message.id, message.string, message.fuzzy) for message in messages(updated)] == [
        ("the models are uploaded", "업로드됨", True),
        ("kept", "유지됨", False),
    ]
    first = source.read_text("utf-8")
    catalogues.update("ko", changed)
    assert source.read_text("utf-8") == first
    assert "gone" not in first


# What a process reads.


@pytest.fixture
def locale(tmp_path: Path, monkeypatch) -> Path:
    """A locale directory of one Korean text, compiled; the language is Korean."""
    monkeypatch.setattr(i18n, "LOCALE_DIRECTORY", tmp_path)
    template = Catalog()
    template.add("uploaded {name}", locations=[("a.py", 1)])
    template.add(("{number} file", "{number} files"), locations=[("a.py", 2)])
    catalogues.update("ko", template)
    source = catalogues.source_of("ko")
    text = source.read_text("utf-8").replace(
        '"uploaded {name}"\nmsgstr ""', '"uploaded {name}"\nmsgstr "{name}을(를) 업로드함"'
    )
    source.write_text(text.replace('msgstr[0] ""', 'msgstr[0] "파일 {number}개"'), "utf-8")
    catalogues.update("ko", template)
    i18n._translations.cache_clear()
    i18n.use("ko")
    yield tmp_path
    i18n.use("en")
    i18n._translations.cache_clear()


def test_a_compiled_catalogue_is_read(locale):
    assert i18n.gettext("uploaded {name}", name="v1") == "v1을 업로드함"
    assert i18n.ngettext("{number} file", "{number} files", 1) == "파일 1개"
    assert i18n.ngettext("{number} file", "{number} files", 1234) == "파일 1,234개"


def test_a_catalogue_that_is_not_compiled_is_named_with_the_command_and_texts_are_english(locale):
    catalogues.source_of("ko").with_suffix(".mo").unlink()
    with pytest.warns(UserWarning, match=r"'ko' is not compiled; run `pybabel compile -D aip_magics -d .*`"):
        assert i18n.gettext("uploaded {name}", name="v1") == "uploaded v1"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # once a process is enough
        assert i18n.ngettext("{number} file", "{number} files", 2) == "2 files"


def test_a_catalogue_that_changed_since_is_named_and_still_read(locale):
    compiled = catalogues.source_of("ko").with_suffix(".mo")
    outdated = catalogues.source_of("ko").stat().st_mtime - 10
    os.utime(compiled, (outdated, outdated))
    with pytest.warns(UserWarning, match="'ko' has changed since it was compiled"):
        assert i18n.gettext("uploaded {name}", name="v1") == "v1을 업로드함"


def test_the_command_of_the_warning_compiles(locale):
    catalogues.source_of("ko").with_suffix(".mo").unlink()
    with pytest.warns(UserWarning, match="run `") as warned:
        i18n.gettext("uploaded {name}", name="v1")
    command = shlex.split(str(warned[0].message).split("`")[1])
    command[0] = str(Path(sys.executable).with_name(command[0]))
    subprocess.run(command, check=True, capture_output=True)
    i18n._translations.cache_clear()
    assert i18n.gettext("uploaded {name}", name="v1") == "v1을 업로드함"


def test_an_installed_wheel_has_no_source_to_compare(locale):
    catalogues.source_of("ko").unlink()
    assert i18n.gettext("uploaded {name}", name="v1") == "v1을 업로드함"


def test_english_reads_no_catalogue(locale):
    catalogues.source_of("ko").with_suffix(".mo").unlink()
    i18n.use("en")
    assert i18n.gettext("uploaded {name}", name="v1") == "uploaded v1"
    assert i18n.ngettext("{number} file", "{number} files", 1) == "1 file"
