"""The English of the texts: the style guide in CONTRIBUTING.md, where a machine can tell."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator

import catalogues
import pytest

from aip_magics import errors

# What is not written (a pattern) → what to write instead.
PHRASES = {
    r"\bwant(s|ed)?\b": "expected X, got Y; X is required",
    r"\bmend(s|ed)?\b": "fix, correct",
    r"\banew\b": "recreate, again",
    r"\b(some|any|no)body\b|\bwho(so)?ever\b": "name the user, owner or process",
    r"\bmeanwhile\b": "concurrently, during",
    r"\b(lies|lie|lay|lying)\b": "is in, exists",
    r"\b(goes|go|went|going) on\b|\bgoes its\b": "continues, is still running",
    r"\bthe other (end|side)\b": "name the server",
    r"\bcut off\b": "truncated, aborted",
    r"\bat once\b": "immediately, in one request",
    r"(?<!\b[Tt]here) (is|are|was|were) no (?!longer\b|more than\b)": "is not a",
    r"\bno more$": "no longer",
    r"\b(is|are|was|were) (not |already )?there\b(?! (is|are|was|were)\b)": "exists, already exists, does not exist",
    r"\bthere already\b|\bthere only\b": "already exists, exists only in Cloud Storage",
    r"\b(left|leave|leaves|leaving) ([\w{}-]+ ){0,3}out\b": "default, omit, skip",
    r"\bby you\b": "by the user",
    r"\bhas no place\b": "cannot be used here",
    r"\bword too many\b": "unexpected argument",
    r"\btruth value\b": "boolean",
    r"\bnot a value of\b": "invalid value",
    r"\bagain and again\b": "after repeated attempts",
    r"\b(run|try) the same\b|\bthe same again\b": "run the command again to resume",
    r"\bon the way\b": "in transit",
    r"\b(taken?|takes|took) (it |them )?away\b": "remove, delete",
    r"\bmade (here|there|of it)\b|^make\b|^Make\b|\bis made\b|\bto be made\b": "create",
    r"\bfetch(es|ed)?\b": "download, get",
    r"^see that\b|^look at\b": "use, check",
    r"\bdamaged\b": "corrupted",
    r"\botherwise than\b": "differ from",
    r"\bwithout a word\b": "without output",
    r"\bfolders?\b": "directory",
    r"\ba text\b": "a string",
    r"\bblanks?\b": "spaces",
    r"\bsomething else than\b": "name what it is",
    r"\bin the whole world\b": "globally",
    r"\bto read$": "findings",
    r"\b(colour|behaviour|catalogue|licence|unrecognised|initialis|serialis|optimis|normalis)": "American spelling",
}


FINDINGS = {"error", "warning", "advice"}  # (where, message, fix)
CLASSES = {name for name, value in vars(errors).items() if isinstance(value, type)}


@functools.cache
def texts() -> list[str]:
    return sorted({text for message in catalogues.extract() if message.id for text in catalogues.templates(message)})


def found(pattern: str, among: list[str]) -> list[str]:
    return [text for text in among if re.search(pattern, re.sub(r"\{\w+", "{", text))]  # not in the names of values


@functools.cache
def passed_as(part: str) -> list[str]:
    """The texts that errors and findings are given as their `message` or `fix`."""
    passed: list[str] = []
    for name, call in calls():
        values = [keyword.value for keyword in call.keywords if keyword.arg == part]
        if name in FINDINGS:
            values += call.args[1:2] if part == "message" else call.args[2:3]
        elif part == "message":
            values += call.args[:2]  # of PredictionError the first is its kind
        for value in values:
            passed += literals(value)
    return passed


@functools.cache
def calls() -> list[tuple[str, ast.Call]]:
    """The calls in the package that create errors and findings, each with the name of what is called."""
    found: list[tuple[str, ast.Call]] = []
    for path in sorted(catalogues.PACKAGE.rglob("*.py")):
        for call in catalogues.calls_in(path):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            if name in FINDINGS | CLASSES:
                found.append((name, call))
    return found


def literals(value: ast.expr | None) -> Iterator[str]:
    """The templates of a translated text, in both branches of a condition."""
    if isinstance(value, ast.IfExp):
        yield from literals(value.body)
        yield from literals(value.orelse)
    elif isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in ("_", "ngettext"):
        indices = catalogues.CALLS[value.func.id]
        yield from (catalogues.literal(value, index, "") for index in indices)


# Names at the start of a text, which keep their capital; so do abbreviations and CamelCase.
NAMES = {"Application", "Artifact", "Cloud", "Google", "Jupyter", "Keras", "Python", "Vertex", "Windows"}


def capitalized(text: str) -> bool:
    word = re.match(r"[A-Z][a-zA-Z0-9]*", text)
    return word is not None and word[0] not in NAMES and not re.search("[A-Z0-9]", word[0][1:])


OLD = [
    "a list is wanted, not {kind}",
    "{file} holds what is no pickle",
    "gs://{name} is there ({location})",
    "left out: the next free one",
    "leave --model and --version out",
    "{name} goes on; %aip_attach {name} waits for it",
    "somebody else wrote the same object meanwhile; run it again",
    "{name} is a {kind}, which has no place here",
    "mend the model and run the same again: the failed version is made anew",
    "stopped by you",
    "the model lies at {origin} already",
]
NEW = [
    "expected {wanted}, got {kind}",
    "there is no {kind} in {name}; the version is no longer READY",
    "recommended: {name}, amended",
    "default: the next free name; {count} values remain",
    "run the command again to resume; files already uploaded are skipped",
    "cannot be used here",
]


@pytest.mark.parametrize("text", OLD)
def test_an_old_phrase_is_found(text: str) -> None:
    assert [phrase for phrase in PHRASES if found(phrase, [text])] != []


@pytest.mark.parametrize("text", NEW)
def test_a_plain_text_is_not_found(text: str) -> None:
    assert [phrase for phrase in PHRASES if found(phrase, [text])] == []


@pytest.mark.parametrize(
    ("text", "is_capitalized"),
    [
        ("Use --region", True),
        ("use --region", False),
        ("Cloud Storage failed", False),
        ("XGBoost is old", False),
        ("{Name} is old", False),
        ("MLS1 machines", False),
        ("A model", True),
    ],
)
def test_names_keep_their_capital(text: str, is_capitalized: bool) -> None:
    assert capitalized(text) is is_capitalized


def test_texts_of_errors_and_findings_are_looked_at() -> None:
    assert len(set(passed_as("message"))) > 150
    assert len(set(passed_as("fix"))) > 100


@pytest.mark.parametrize("phrase", PHRASES)
def test_a_phrase_that_reads_as_translated_is_not_used(phrase: str) -> None:
    assert found(phrase, texts()) == [], f"write: {PHRASES[phrase]}"


@pytest.mark.parametrize("part", ["message", "fix"])
def test_messages_and_fixes_start_in_lower_case_and_end_without_a_stop(part: str) -> None:
    assert sorted({text for text in passed_as(part) if capitalized(text)}) == []
    assert sorted({text for text in passed_as(part) if re.search(r"[\w)\"'`}][.!]$", text)}) == []
