"""The exceptions of the worker, and texts for foreign exceptions and values."""

# ruff: noqa: UP032

import re
from typing import Any

QUOTE_LIMIT = 200  # characters of a request that an error quotes
SHOWN_ITEMS = 3  # of a long list
SHOWN_LINES = 3  # of the text of an exception
LINE_LIMIT = 400  # characters
# XGBoost's errors: "[12:00:00] /workspace/src/learner.cc:989: Check failed: …", then the stack of its C++ functions.
STACK = re.compile(r"\s*Stack trace:.*", re.DOTALL)
# TensorFlow's errors of a graph: a line for each node with its Python stack, then the node again and the reason.
GRAPH_STACK = re.compile(r"Graph execution error:\s*Detected at node.*?Node: ('[^']*')\s*", re.DOTALL)
SOURCE_LINE = re.compile(r"\[\d\d:\d\d:\d\d\] \S+:\d+: ")
# Eleven items or more, separated by commas.
LONG_LIST = re.compile(r"[^\s,\[\](){}][^,\n\[\](){}]{0,80}(?:,[^,\n\[\](){}]{1,80}){10,}")


class Text(str):
    """An English text that knows its template and values, so that the owner of the worker can translate it."""

    template = ""
    values = {}  # type: dict[str, str]  # noqa: RUF012

    def __new__(cls, template: str, values: "dict[str, Any]") -> "Text":
        self = str.__new__(cls, template.format(**values) if values else template)
        self.template = template
        self.values = {name: str(value) for name, value in values.items()}
        return self


def _(template: str, **values: "Any") -> Text:
    """The text of a template: named as in the package, whose catalogues have the translations of these templates."""
    return Text(template, values)


class ModelError(Exception):
    """An error of the model or the request: the service's name for the error, the detail and a fix."""

    def __init__(self, kind: str, detail: str, fix: str = "") -> None:
        Exception.__init__(self, detail)
        self.kind = kind
        self.detail = detail
        self.fix = fix


class NotTrusted(ModelError):
    """Loading the untrusted model would use something that is not listed."""

    def __init__(self, what: str) -> None:
        text = "Loading the model would use {}, which is not listed as harmless, and the model is not trusted."
        ModelError.__init__(self, "FAILED_TO_LOAD_MODEL", text.format(what))
        self.what = what


def error_text(error: BaseException) -> str:
    """The text of an exception in a few lines, or its type if the text is empty, so that no message ends in a colon.

    Omits the stack of native code, repeated lines, most items of a long list, and what exceeds three lines.
    """
    text = SOURCE_LINE.sub("", STACK.sub("", str(error)))
    text = GRAPH_STACK.sub(r"Graph execution error: node \1: ", text)
    text = LONG_LIST.sub(abbreviate, text)
    lines = []  # type: list[str]
    for line in text.splitlines():
        line = line.rstrip()
        if line.strip() and line not in lines:
            lines.append(line if len(line) <= LINE_LIMIT else line[:LINE_LIMIT] + "…")
    more = " …" if len(lines) > SHOWN_LINES else ""
    return ("\n".join(lines[:SHOWN_LINES]) + more).strip() or type(error).__name__


def abbreviate(match: "Any") -> str:
    """The first items of a matched list, and the number of the others."""
    items = match.group().split(",")
    shown = ",".join(items[:SHOWN_ITEMS])
    return "{}, … and {} more".format(shown, len(items) - SHOWN_ITEMS)


def shortened(value: "Any") -> str:
    """The repr of a value, truncated for an error text."""
    text = repr(value)
    return text if len(text) <= QUOTE_LIMIT else text[:QUOTE_LIMIT] + "…"


def class_name(value: "Any") -> str:
    """The qualified class name of an object."""
    return "{}.{}".format(type(value).__module__, type(value).__name__)
