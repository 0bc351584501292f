"""The READMEs: the first screen of the English one, and the Korean one says the same with the same structure."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
ENGLISH, KOREAN = ((ROOT / name).read_text("utf-8") for name in ("README.md", "README.ko.md"))
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EACH_OTHER = {"README.md", "README.ko.md"}


def prose(text: str) -> str:
    return FENCED.sub("", text)


def test_readmes_have_equal_code_blocks() -> None:
    assert len(FENCED.findall(ENGLISH)) >= 3
    assert FENCED.findall(KOREAN) == FENCED.findall(ENGLISH)


def test_readme_opens_with_the_two_commands_that_ci_runs() -> None:
    language, commands = FENCED.findall(ENGLISH)[0]
    assert language == "sh"
    assert len(commands.splitlines()) == 2


def test_readme_first_screen_answers_what_how_and_what_it_looks_like() -> None:
    screen = ENGLISH.splitlines()[:40]
    headings = [line for line in screen if line.startswith("#")]
    assert headings == ["# aip-magics", "## Try it", "## Install", "## Quick start"]
    assert any(line.startswith("%%aip_deploy ") for line in screen)
    assert any(line.startswith("STEP ") for line in screen)


def test_readmes_have_the_same_sections_tables_and_points() -> None:
    def structure(text: str) -> list[str]:
        return re.findall(r"^(#+ |\* |\|)", prose(text), re.MULTILINE)

    assert structure(KOREAN) == structure(ENGLISH)


def test_readmes_do_not_translate_names_flags_and_values() -> None:
    def code(text: str) -> list[str]:
        return sorted(set(re.findall(r"`([^`\n]+)`", prose(text))))

    assert code(KOREAN) == code(ENGLISH)


def test_readmes_have_the_same_links_that_lead_somewhere() -> None:
    def links(text: str) -> set[str]:
        return set(re.findall(r"\]\(([^#\s]\S*?)\)", prose(text))) - EACH_OTHER

    assert links(KOREAN) == links(ENGLISH)
    assert [link for link in links(KOREAN) if "://" not in link and not (ROOT / link).exists()] == []


def test_readmes_links_lead_to_a_heading() -> None:
    for text in (ENGLISH, KOREAN):
        headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
        assert set(re.findall(r"\]\(#(\S+?)\)", text)) <= headings


def test_readmes_korean_one_is_in_korean() -> None:
    text = re.sub(r"<[^>]+>", "", prose(KOREAN))
    paragraphs = [part for part in text.split("\n\n") if re.search(r"[a-z]{3}", part)]
    untold = [part for part in paragraphs if not re.search("[가-힣]", part)]
    assert untold == ["# aip-magics"]
