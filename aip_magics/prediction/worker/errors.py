"""The one exception of the worker, and how exceptions and values of others are put into words."""

# ruff: noqa: UP032

from typing import Any

QUOTE_LIMIT = 200  # characters of a request that an error repeats


class ModelError(Exception):
    """An error with the service's name for it, its text, and how to mend it."""

    def __init__(self, kind: str, detail: str, fix: str = "") -> None:
        Exception.__init__(self, detail)
        self.kind = kind
        self.detail = detail
        self.fix = fix


class NotTrusted(ModelError):
    """Loading the model would use something that is not listed, and nobody said that the model is trusted."""

    def __init__(self, what: str) -> None:
        text = "Loading it would use {}, which is not listed as harmless, and the model is not trusted."
        ModelError.__init__(self, "FAILED_TO_LOAD_MODEL", text.format(what))
        self.what = what


def error_text(error: BaseException) -> str:
    """The exception's text; its type where it has none, so that no message ends in a colon."""
    return str(error) or type(error).__name__


def shortened(value: "Any") -> str:
    """A value as it may be repeated in an error."""
    text = repr(value)
    return text if len(text) <= QUOTE_LIMIT else text[:QUOTE_LIMIT] + "…"


def class_name(value: "Any") -> str:
    """The class of an object, with its module."""
    return "{}.{}".format(type(value).__module__, type(value).__name__)
