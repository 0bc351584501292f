"""The one exception of the worker, and how exceptions of others are put into words."""


class Refusal(Exception):
    """An error with the service's name for it, its text, and how to mend it."""

    def __init__(self, kind: str, detail: str, fix: str = "") -> None:
        Exception.__init__(self, detail)
        self.kind = kind
        self.detail = detail
        self.fix = fix


def said(error: BaseException) -> str:
    """The exception's text; its type where it has none, so that no message ends in a colon."""
    return str(error) or type(error).__name__
