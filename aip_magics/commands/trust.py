"""`trust`: trust the code that a model or a package runs, in advance, for clients that cannot ask."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING

from aip_magics.commands.common import options
from aip_magics.commands.common.command import Command, Context
from aip_magics.errors import InputError
from aip_magics.i18n import gettext as _

if TYPE_CHECKING:
    from aip_magics.artifacts import File

_ARCHIVES = (".tar.gz", ".tgz", ".zip", ".whl")


@dataclasses.dataclass(frozen=True)
class Trusted:
    """The trusted files, SHA-256 digest → file name. `modules` are trusted for every model."""

    files: dict[str, str]
    modules: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        return {"files": self.files, "modules": list(self.modules)}


def add_options(parser: argparse.ArgumentParser) -> None:
    text = _("model directory or package, local or gs:// (default: show what is trusted)")
    parser.add_argument("source", nargs="?", metavar="DIR|FILE", help=text)
    parser.add_argument("--forget", action="store_true", help=_("no longer trust these files"))
    options.add_target(parser)
    options.add_output(parser)


def run(args: argparse.Namespace, _body: str | None, context: Context) -> Trusted:
    """Trust the files by their content, or no longer trust them; return those that are trusted then.

    InputError if there are no files, or too many.
    """
    from aip_magics.deploy import trust_store
    from aip_magics.trust import digest, trust_in

    data_dir = context.settings(args).data_dir
    if args.source is None:
        if args.forget:
            raise InputError(
                _("a directory or a file to forget is required"),
                where="--forget",
                fix=_("name the directory or the file"),
            )
        trusted = Trusted(trust_store.names_in(data_dir), tuple(sorted(trust_in(data_dir).modules)))
        context.reporter.show(trusted)
        return trusted
    files = {digest(file.path): file for file in _files(args, context)}
    if len(files) > trust_store.MAX_FILES:
        text = _(
            "too many files to trust: {count}, at most {most} are remembered",
            count=len(files),
            most=trust_store.MAX_FILES,
        )
        raise InputError(text, where=args.source, fix=_("use the directory of a single model"))
    if args.forget:
        trust_store.forget(data_dir, files)
        trusted = Trusted({})
    else:
        trust_store.remember(data_dir, files)
        trusted = Trusted({sha256: file.name for sha256, file in files.items()})
    context.reporter.show(trusted)
    return trusted


def _files(args: argparse.Namespace, context: Context) -> tuple[File, ...]:
    from aip_magics.artifacts import file_at, list_files
    from aip_magics.commands.common.model_source import local_directory, local_packages

    if args.source.endswith(_ARCHIVES):
        [path] = local_packages(args.source, args, context)
    else:
        path = local_directory(args.source, args, context)
    return (file_at(path),) if path.is_file() else list_files(path, on_disk=True).files


COMMAND = Command("trust", add_options, run, example="%aip_trust gs://my-bucket/iris/v1")
