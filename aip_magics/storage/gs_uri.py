"""gs:// URIs and the rules of Cloud Storage for bucket and object names."""

from __future__ import annotations

import dataclasses
import re

from aip_magics import gcs_names
from aip_magics.errors import StorageError
from aip_magics.i18n import gettext as _


@dataclasses.dataclass(frozen=True)
class GsUri:
    """`gs://BUCKET/PREFIX/`: a directory in Cloud Storage. `prefix` is empty or ends with a slash."""

    bucket: str
    prefix: str = ""

    @classmethod
    def parse(cls, text: str) -> GsUri:
        """Parse `gs://bucket/some/dir`, with or without a trailing slash."""
        bucket, name = split_uri(text)
        path = name.rstrip("/")
        if path and "" in path.split("/"):
            raise StorageError(
                _("the path has an empty part (//)"), where=text, fix=f"gs://{bucket}/{re.sub('/+', '/', path)}"
            )
        return cls(bucket, f"{path}/" if path else "")

    def __str__(self) -> str:
        return f"gs://{self.bucket}/{self.prefix}"

    def child(self, *parts: str) -> GsUri:
        """The directory below this one."""
        return GsUri(self.bucket, self.prefix + "".join(f"{part}/" for part in parts))


def split_uri(text: str) -> tuple[str, str]:
    """Split `gs://bucket/name` into the bucket and the name, letter for letter. StorageError if it is no such URI."""
    found = re.fullmatch(r"gs://([^/]+)(?:/(.*))?", text, re.DOTALL)
    if not found:
        raise StorageError(
            _("invalid Cloud Storage URI {text!r}", text=text), where=text, fix=_("use gs://BUCKET/DIRECTORY")
        )
    check_bucket_name(found[1])
    return found[1], found[2] or ""


def no_objects(uri: str) -> StorageError:
    """The error about a URI at which there is nothing."""
    return StorageError(_("no objects found"), where=uri, fix=name_fix())


def name_fix() -> str:
    """The fix for a name that Cloud Storage does not know."""
    return _("check the name with `gcloud storage ls gs://BUCKET`")


def check_bucket_name(name: str) -> None:
    """StorageError if Cloud Storage would refuse this bucket name."""
    problem = gcs_names.bucket_name_problem(name)
    if problem is None:
        return
    where = f"gs://{name}"
    if problem in ("goog", "google"):
        text = _("invalid bucket name {name!r}: bucket names must not start with 'goog' or contain 'google'", name=name)
        raise StorageError(text, where=where)
    fix = _(
        "use 3 to 63 lower-case letters, digits, hyphens, underscores and dots, with a letter or digit at both ends"
    )
    raise StorageError(_("invalid bucket name {name!r}", name=name), where=where, fix=fix)


def check_object_name(name: str) -> None:
    """StorageError if Cloud Storage would refuse this object name."""
    match gcs_names.object_name_problem(name):
        case None:
            return
        case "unicode":
            text = _("the file name is not valid Unicode: {name}", name=ascii(name))
            raise StorageError(text, where=ascii(name), fix=_("rename the file"))
        case "empty" | "length":
            size, fix = len(name.encode()), _("use a shorter directory or file name")
            text = _("the object name must be between 1 and 1024 bytes long, got {size} bytes", size=size)
            raise StorageError(text, where=name, fix=fix)
        case "line break":
            text = _("the object name must not contain a line break")
            raise StorageError(text, where=repr(name), fix=_("rename the file"))
        case "reserved":
            raise StorageError(_("invalid object name {name!r}", name=name), where=name, fix=_("rename the file"))
