"""What a user names as a model or a package: a path, a gs:// name, a `$name` of the notebook."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aip_magics.commands.common.command import Context
from aip_magics.commands.common.magic_line import kept_name
from aip_magics.errors import ModelDirError
from aip_magics.i18n import gettext as _

if TYPE_CHECKING:  # a path of this machine, as most are, needs none of it
    from aip_magics.storage import Cache

STAGING = "staging"  # below the data directory


def resolve_origin(value: Any, args: argparse.Namespace, context: Context) -> str | None:
    """An `--origin` or `--model-dir` as text, a path or gs:// name; a model, by `$name` or itself, is saved first.

    None where nothing is given. OptionError where the variable is no model.
    """
    name, value = _named(value, context)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    from aip_magics.commands.common.staging import stage

    return str(stage(value, context.settings(args).data_dir / STAGING, name))


def is_in_memory(value: Any, context: Context) -> bool:
    """Whether this is a model itself, not the place of one: nothing of it is of somebody else's making."""
    _unused, value = _named(value, context)
    return value is not None and not isinstance(value, (str, os.PathLike))


def local_directory(value: Any, args: argparse.Namespace, context: Context) -> Path:
    """A `--model-dir` as a path of this machine: what lies in Cloud Storage is downloaded, a model saved.

    ModelDirError where there is nothing at the gs:// name, or more than the service takes.
    """
    found = resolve_origin(value, args, context) or ""
    if not found.startswith("gs://"):
        return Path(found).expanduser()
    from aip_magics import catalog
    from aip_magics.storage import GsUri, fetch_directory

    most = catalog.limits().model_dir_bytes_n1
    downloaded = fetch_directory(context.target(args).store, GsUri.parse(found), _downloads(args, context), most)
    if isinstance(downloaded, str):
        fix = _("name the model's directory: {example}", example="gs://BUCKET/DIRECTORY")
        raise ModelDirError(downloaded, where="--model-dir", fix=fix)
    return downloaded


def package_names(given: Any, context: Context) -> Iterator[Any]:
    """packageUris as texts: a `$name`, a path, what %aip_package returned (it has a `path`), and lists of these."""
    _unused, given = _named(given, context)
    given = getattr(given, "path", given)
    if isinstance(given, (list, tuple)):
        for item in given:
            yield from package_names(item, context)
    else:
        yield os.fspath(given) if isinstance(given, os.PathLike) else given


def local_packages(given: Any, args: argparse.Namespace, context: Context) -> list[Path]:
    """packageUris as files of this machine: those in Cloud Storage are downloaded."""
    from aip_magics.storage import fetch_file

    return [
        fetch_file(context.target(args).store, name, _downloads(args, context))
        if name.startswith("gs://")
        else Path(name).expanduser()
        for name in map(str, package_names(given, context))
    ]


def _named(value: Any, context: Context) -> tuple[str, Any]:
    """The variable's name and value where a word of the line stands for one; else no name, and the value as it is."""
    name = kept_name(value)
    return (name, context.names[name]) if name else ("", value)


def _downloads(args: argparse.Namespace, context: Context) -> Cache:
    from aip_magics.deploy.trial import DOWNLOADS
    from aip_magics.storage import Cache

    return Cache(context.settings(args).data_dir / DOWNLOADS)
