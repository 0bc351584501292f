"""Resolve what a user names as a model or a package: a path, a gs:// URI, or a `$name` of the notebook."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aip_magics.commands.common.command import Context
from aip_magics.commands.common.magic_line import referenced_name
from aip_magics.data_directory import DOWNLOADS, STAGING
from aip_magics.directory_cache import DirectoryCache
from aip_magics.errors import ModelDirError, OptionError
from aip_magics.i18n import gettext as _
from aip_magics.local_path import local_path


def resolve_origin(value: Any, args: argparse.Namespace, context: Context) -> str | None:
    """Resolve an `--origin` or `--model-dir` to a local path or a gs:// URI; a model object is saved first.

    Returns:
        The path or URI, or None if no value is given.

    Raises:
        OptionError: The variable is not a model.
        ModelDirError: The value is the name of a variable with a model or a path, and not a path.
    """
    name, value = _dereference(value, context)
    if value is None or isinstance(value, str):
        if value and not name:
            _suggest_variable(value, context)
        return value
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    from aip_magics.commands.common.staging import stage

    return str(stage(value, context.settings(args).data_dir / STAGING, name))


def keep_saved(origin: str, args: argparse.Namespace, context: Context) -> None:
    """Keep a model object that an earlier command saved, until the end of this command (`keep_entries`)."""
    saved = Path(origin).parent
    if saved.parent == context.settings(args).data_dir / STAGING:
        DirectoryCache(saved.parent).claim(saved.name)


def _suggest_variable(value: str, context: Context) -> None:
    """Raise ModelDirError if a missing path is the name of a variable: `model` or `{model}` instead of `$model`."""
    from aip_magics.commands.common.staging import is_model

    name = value[1:-1] if value.startswith("{") and value.endswith("}") else value
    if not name.isidentifier() or name not in context.names or os.path.lexists(value):
        return
    variable = context.names[name]
    if isinstance(variable, (str, os.PathLike)) or is_model(variable):
        text = _("no such file or directory: {path}", path=value)
        raise ModelDirError(text, where=value, fix=_("use ${name} for the variable of that name", name=name))


def is_in_memory(value: Any, context: Context) -> bool:
    """Whether the value is a model object of the notebook, which the user made, and not a path or URI."""
    _unused, value = _dereference(value, context)
    return value is not None and not isinstance(value, (str, os.PathLike))


def local_directory(value: Any, args: argparse.Namespace, context: Context) -> Path:
    """Resolve a `--model-dir` to a local directory: a gs:// directory is downloaded, a model object is saved.

    ModelDirError if the gs:// directory is empty, or larger than the service accepts.
    """
    origin = resolve_origin(value, args, context) or ""
    if not origin.startswith("gs://"):
        return local_path(origin)
    from aip_magics import catalog
    from aip_magics.storage import GsUri, cached_directory

    max_bytes = catalog.limits().model_dir_bytes_n1
    store, cache = context.target(args).storage_client, _download_cache(args, context)
    downloaded = cached_directory(store, GsUri.parse(origin), cache, max_bytes)
    if isinstance(downloaded, str):
        fix = _("specify the model directory, for example {example}", example="gs://BUCKET/DIRECTORY")
        raise ModelDirError(downloaded, where="--model-dir", fix=fix)
    return downloaded


def package_names(given: Any, context: Context) -> Iterator[Any]:
    """Yield packageUris as strings, from a `$name`, a path, the value of %aip_package, or a list of these."""
    _unused, given = _dereference(given, context)
    given = getattr(given, "path", given)  # the value of %aip_package has a `path`
    if isinstance(given, (list, tuple)):
        for item in given:
            yield from package_names(item, context)
    else:
        yield os.fspath(given) if isinstance(given, os.PathLike) else given


def local_packages(given: Any, args: argparse.Namespace, context: Context) -> list[Path]:
    """Resolve packageUris to local files; packages in Cloud Storage are downloaded."""
    from aip_magics.storage import cached_file

    return [
        cached_file(context.target(args).storage_client, name, _download_cache(args, context))
        if name.startswith("gs://")
        else local_path(name, OptionError)
        for name in map(str, package_names(given, context))
    ]


def _dereference(value: Any, context: Context) -> tuple[str, Any]:
    """Return name and value of the variable if the argument is a reference; else an empty name and the argument."""
    name = referenced_name(value)
    return (name, context.names[name]) if name else ("", value)


def _download_cache(args: argparse.Namespace, context: Context) -> DirectoryCache:
    return DirectoryCache(context.settings(args).data_dir / DOWNLOADS)
