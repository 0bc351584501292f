"""The exceptions of the worker, and texts for foreign exceptions and values."""

# ruff: noqa: UP032

from typing import Any

QUOTE_LIMIT = 200  # characters of a request that an error quotes


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
    """The text of an exception, or its type if the text is empty, so that no message ends in a colon."""
    return str(error) or type(error).__name__


def shortened(value: "Any") -> str:
    """The repr of a value, truncated for an error text."""
    text = repr(value)
    return text if len(text) <= QUOTE_LIMIT else text[:QUOTE_LIMIT] + "…"


def class_name(value: "Any") -> str:
    """The qualified class name of an object."""
    return "{}.{}".format(type(value).__module__, type(value).__name__)
