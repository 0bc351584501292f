"""gs:// names and what Cloud Storage allows in them."""

from __future__ import annotations

import dataclasses
import re

from aip_magics.errors import StorageError
from aip_magics.i18n import gettext as _


@dataclasses.dataclass(frozen=True)
class GsUri:
    """`gs://BUCKET/PREFIX/`: a directory in Cloud Storage. `prefix` is empty or ends with a slash."""

    bucket: str
    prefix: str = ""

    @classmethod
    def parse(cls, text: str) -> GsUri:
        """Read `gs://bucket/some/dir` with or without a trailing slash."""
        found = re.fullmatch(r"gs://([^/]+)(?:/(.*))?", text, re.DOTALL)
        if not found:
            raise StorageError(
                _("{text!r} is not a Cloud Storage name", text=text),
                where=text,
                fix=_("write gs://BUCKET/DIRECTORY"),
            )
        check_bucket_name(found[1])
        path = (found[2] or "").rstrip("/")
        if path and "" in path.split("/"):
            raise StorageError(
                _("the path has an empty part (//)"), where=text, fix=f"gs://{found[1]}/{re.sub('/+', '/', path)}"
            )
        return cls(found[1], f"{path}/" if path else "")

    def __str__(self) -> str:
        return f"gs://{self.bucket}/{self.prefix}"

    def child(self, *parts: str) -> GsUri:
        """The directory below this one."""
        return GsUri(self.bucket, self.prefix + "".join(f"{part}/" for part in parts))


def check_bucket_name(name: str) -> None:
    """StorageError where Cloud Storage would refuse this bucket name."""
    plain = re.fullmatch(r"[a-z0-9][a-z0-9._-]*[a-z0-9]", name) and all(len(part) <= 63 for part in name.split("."))
    if not plain or not 3 <= len(name) <= (222 if "." in name else 63) or re.fullmatch(r"\d+(\.\d+){3}", name):
        raise StorageError(
            _("{name!r} is not a legal bucket name", name=name),
            where=f"gs://{name}",
            fix=_("3 to 63 lower-case letters, digits, hyphens, underscores and dots; a letter or digit at both ends"),
        )
    if name.startswith("goog") or "google" in name:
        raise StorageError(_("{name!r}: bucket names may not contain 'google'", name=name), where=f"gs://{name}")


def check_object_name(name: str) -> None:
    """StorageError where Cloud Storage would refuse this object name (1 to 1,024 bytes of UTF-8, no line breaks)."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        text = _("the file's name is not valid Unicode: {name}", name=ascii(name))
        raise StorageError(text, where=ascii(name), fix=_("rename the file")) from None
    if not 1 <= size <= 1024:
        text = _("the object's name has {size} bytes; Cloud Storage takes 1 to 1024", size=size)
        raise StorageError(text, where=name, fix=_("use a shorter directory or file name"))
    if name in (".", ".."):
        text = _("{name!r} is no name of an object in Cloud Storage", name=name)
        raise StorageError(text, where=name, fix=_("rename the file"))
    if "\r" in name or "\n" in name:
        text = _("the object's name has a line break, which Cloud Storage does not take")
        raise StorageError(text, where=repr(name), fix=_("rename the file"))
