"""Local paths as users type them; a URL in the place of a path is named for what it is."""

from __future__ import annotations

import os
import re
import urllib.parse
import urllib.request
from pathlib import Path

from aip_magics.errors import InputError, ModelDirError
from aip_magics.i18n import gettext as _

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", re.DOTALL)  # two letters at least: C:/ is a drive
# The hosts and first directories that browsers and client libraries show for objects of Cloud Storage.
_CLOUD_STORAGE = re.compile(
    r"(?:storage\.googleapis\.com|storage\.cloud\.google\.com|console\.cloud\.google\.com/storage/browser)/(.+)"
)
_MODEL_SUFFIXES = (".joblib", ".pkl", ".bst", ".pb", ".pbtxt")


def local_path(text: str, kind: type[InputError] = ModelDirError) -> Path:
    """Return a local path, with `~` expanded.

    Args:
        text: The path as the user typed it.
        kind: The class of the error.

    Raises:
        InputError: The text is a URL. The fix has the path or the gs:// URI, where the URL stands for one.
    """
    found = _URL.fullmatch(text)
    if found and not os.path.lexists(text):
        scheme, rest = found[1].lower(), found[2]
        message = _("expected a local path or a gs:// URI, got {scheme}://…", scheme=scheme)
        if scheme == "gs":
            message = _("invalid Cloud Storage URI {text!r}", text=text)
        raise kind(message, where=_without_secrets(text), fix=_fix(scheme, rest))
    return Path(os.path.expanduser(text))


def _fix(scheme: str, rest: str) -> str:
    if scheme == "file":
        path = urllib.request.url2pathname("/" + rest.removeprefix("localhost/"))
        return _("use the path {path}", path=path)
    if scheme == "gs":
        return _("use {uri}", uri=f"gs://{rest}")
    if in_bucket := _CLOUD_STORAGE.match(rest):
        path = urllib.parse.unquote(re.split("[?#;]", in_bucket[1])[0])
        if path.endswith(_MODEL_SUFFIXES):  # the origin in Cloud Storage is the directory of the model
            path = path.rpartition("/")[0]
        return _("use {uri}", uri=f"gs://{path}")
    return _("download the files and use the local path")


def _without_secrets(url: str) -> str:
    """The URL without user name and password, and without a query, which may hold a signature."""
    return re.sub(r"(:/+)[^/@]*@", r"\1", re.split("[?#]", url)[0])
