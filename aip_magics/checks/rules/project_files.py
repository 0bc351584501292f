"""Rules about files that do not belong into an upload: keys, environments, notebooks, data; and .gcloudignore."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from aip_magics.artifacts import ModelDir, ignore_file
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Finding, Outcomes
from aip_magics.checks.rule import error, on_directory, rule, warning
from aip_magics.i18n import gettext as _
from aip_magics.i18n import ngettext
from aip_magics.wording import join_names, size_text

_MAX_SHOWN = 5
_DATA = re.compile(
    r".*\.(?:csv|tsv|parquet|feather|arrow|avro|orc|xlsx|jsonl|ndjson|tfrecords?)(?:\.gz)?", re.IGNORECASE
)
_MIN_DATA = 100_000  # bytes; smaller tables are lookup tables and examples rather than training data
_MODEL_DIRS = ("assets/", "assets.extra/", "variables/")  # of a SavedModel, whose files may be of any kind


@rule("D21", "skipped-keys", link=links.IGNORE)
@on_directory
def skipped_keys(_context: CheckContext, directory: ModelDir) -> Outcomes:
    """Private keys, service account files and other credentials are not uploaded, unless --include names them.

    They are recognized by their names (credentials.json, id_rsa, *.key …) and their first bytes. Files that
    .gcloudignore excludes are not reported.
    """
    names = directory.skipped_keys
    if not names:
        return []
    text = ngettext(
        "not uploaded, because it looks like a private key or credentials: {names}",
        "{number} files not uploaded, because they look like private keys or credentials: {names}",
        len(names),
        names=join_names(names),
    )
    fix = _(
        "add to {file}: {patterns}; if the model reads the file, upload it with --include {names}",
        file=directory.path / ignore_file.NAME,
        patterns=_patterns(names),
        names=shlex.quote(",".join(re.sub(r"[,*?\[\]]", "?", name) for name in names[:_MAX_SHOWN])),
    )
    return [warning(names[0], text, fix)]


@rule("D22", "project-files", link=links.IGNORE)
@on_directory
def project_files(context: CheckContext, directory: ModelDir) -> Outcomes:
    """Virtual environments, notebooks and large data files do not belong into the upload of a model.

    Data files are tables of at least 100 kB outside of assets/; a custom prediction routine may have them.
    """
    groups = [*_environments(directory), *_notebooks_and_data(context, directory)]
    if not groups:
        return []
    text = _(
        "the upload contains files that are not part of a model: {names}",
        names=join_names(map(str, groups)),
    )
    return [warning(str(directory.path), text, _fix_ignore(directory, [group.name for group in groups]))]


@rule("D23", "ignored-model-files", link=links.IGNORE)
@on_directory
def ignored_model_files(context: CheckContext, directory: ModelDir) -> Outcomes:
    """.gcloudignore must not exclude the model file, or variables and assets of a SavedModel."""
    if context.is_custom:
        return []
    found: list[Finding] = []
    fix = _("remove the line that excludes the file from {file}", file=directory.path / ignore_file.NAME)
    if directory.ignored_models and not directory.model_files:
        name = directory.ignored_models[0]
        found.append(error(name, _("{name} is excluded by .gcloudignore", name=name), fix))
    if directory.saved_model is None:
        return found
    for entry in directory.left_out:
        part = entry.name.partition("/")[0]
        if entry.kind == "ignored" and part in ("variables", "assets"):
            report = error if part == "variables" else warning
            found.append(report(entry.name, _("{name} is excluded by .gcloudignore", name=entry.name), fix))
    return found[:_MAX_SHOWN]


def fix_environments(directory: ModelDir) -> str:
    """Return the fix that excludes virtual environments from the upload; empty if there are none."""
    names = [group.name for group in _environments(directory)]
    return _fix_ignore(directory, names) if names else ""


class _Group(NamedTuple):
    """A file, or a directory with its number of files."""

    name: str
    size: int
    files: int = 0

    def __str__(self) -> str:
        name, size = self.name, size_text(self.size)
        if not self.files:
            return f"{name} ({size})"
        return ngettext(
            "{name} ({number} file, {size})", "{name} ({number} files, {size})", self.files, name=name, size=size
        )


def _environments(directory: ModelDir) -> Iterator[_Group]:
    """Yield the directories of virtual environments, conda environments and Node packages."""
    roots: dict[str, None] = {}
    for file in directory.files:
        path = PurePosixPath(file.name)
        if path.name == "pyvenv.cfg" and len(path.parts) > 1:
            roots[f"{path.parent}/"] = None
        elif path.parts[-2:] == ("conda-meta", "history") and len(path.parts) > 2:
            roots[f"{path.parent.parent}/"] = None
        elif "node_modules" in path.parts[:-1]:
            roots["/".join(path.parts[: path.parts.index("node_modules") + 1]) + "/"] = None
    for root in roots:
        if not any(root != other and root.startswith(other) for other in roots):
            inside = [file.size for file in directory.files if file.name.startswith(root)]
            yield _Group(root, sum(inside), len(inside))


def _notebooks_and_data(context: CheckContext, directory: ModelDir) -> Iterator[_Group]:
    environments = tuple(group.name for group in _environments(directory))
    for file in directory.files:
        if file.name.startswith((*environments, *_MODEL_DIRS)):
            continue
        is_data = not context.is_custom and file.size >= _MIN_DATA and _DATA.fullmatch(file.name)
        if is_data or file.name.lower().endswith(".ipynb"):
            yield _Group(file.name, file.size)


def _fix_ignore(directory: ModelDir, names: Sequence[str]) -> str:
    file = directory.path / ignore_file.NAME
    return _("add to {file}: {patterns}", file=file, patterns=_patterns(names))


def _patterns(names: Sequence[str]) -> str:
    """Return lines for .gcloudignore, as words: a space in a name becomes the wildcard `?`."""
    return " ".join(ignore_file.to_pattern(name.replace(" ", "\0")).replace("\0", "?") for name in names[:_MAX_SHOWN])
