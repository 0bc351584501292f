"""What may stand in the metadata of a package that is built without a question: texts, and paths that stay inside.

A path that leaves the archive would put a file of the user's into the package, or one of the package's anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from aip_magics.artifacts.packages.bounds import escapes_root
from aip_magics.i18n import gettext as _

# Keywords of setup() and keys of setup.cfg and [tool.setuptools], with _ for -: what they say is only told …
TEXTS = frozenset(
    {
        "name", "version", "author", "author_email", "maintainer", "maintainer_email", "contact", "contact_email",
        "description", "summary", "long_description", "long_description_content_type", "license", "license_expression",
        "url", "home_page", "download_url", "project_urls", "classifiers", "classifier", "keywords", "platforms",
        "platform", "python_requires", "install_requires", "extras_require", "requires", "provides", "obsoletes",
        "provides_extras", "zip_safe", "include_package_data", "test_suite", "tests_require",
    }
)  # fmt: skip
# … and what these say are names of files and folders.
PATHS = frozenset(
    {
        "packages", "py_modules", "package_dir", "package_data", "exclude_package_data", "scripts", "data_files",
        "license_file", "license_files", "namespace_packages",
    }
)  # fmt: skip
_ENTRY = re.compile(r"[\w.\- ]+")
_OWN_GROUPS = ("distutils.", "setuptools.", "egg_info.")  # commands and hooks of whoever builds


def stays_inside(path: str) -> bool:
    """Whether a path or a pattern names only what lies in the archive."""
    return not escapes_root(path) and not path.startswith("~") and "$" not in path


def strays(value: Any) -> Iterator[str]:
    """The texts in a value that lead out, as paths."""
    if isinstance(value, str):
        # setup.cfg and old keywords have several in one text.
        yield from (word for word in re.split(r"[,=\s]+", value) if not stays_inside(word))
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from strays(key)
            yield from strays(one)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for one in value:
            yield from strays(one)


def outside(key: str, value: Any) -> Iterator[str]:
    """Why a value that names files is not plain."""
    for path in strays(value):
        yield _("{key} points outside the archive: {path!r}", key=key, path=path[:200])


def entry_points(value: Any) -> Iterator[str]:
    """Why entry points, as groups of lines `name = module:attribute` or as tables, are not plain."""
    if isinstance(value, str):
        value = _groups(value)
    if not isinstance(value, Mapping):
        yield _("entry points are computed")
        return
    for group, given in value.items():
        lines = given.splitlines() if isinstance(given, str) else given
        if isinstance(lines, Mapping):
            lines = [f"{name} = {target}" for name, target in lines.items()]
        if str(group).startswith(_OWN_GROUPS):
            yield _("package adds build commands: {group}", group=group)
        elif not isinstance(lines, (list, tuple)):
            yield _("entry points are computed")
        else:
            for line in lines:
                name = str(line).partition("=")[0].strip()
                if name and not name.startswith("#") and not (_ENTRY.fullmatch(name) and stays_inside(name)):
                    yield _("{key} points outside the archive: {path!r}", key="entry_points", path=name[:200])


def _groups(text: str) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if head := re.fullmatch(r"\s*\[(.*)\]\s*", line):
            lines = groups.setdefault(head[1].strip(), [])
        elif line.strip():
            lines.append(line.strip())
    return groups
