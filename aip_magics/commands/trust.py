"""`trust`: consent to what a model or a package may run, before somebody else's client asks for it."""

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
    """What is trusted from now on: sha256 → name of the file; `modules` are trusted whatever the file."""

    files: dict[str, str]
    modules: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        return {"files": self.files, "modules": list(self.modules)}


def add_options(parser: argparse.ArgumentParser) -> None:
    text = _("a model's directory or a package, local or gs://; left out: show what is trusted")
    parser.add_argument("place", nargs="?", metavar="DIR|FILE", help=text)
    parser.add_argument("--forget", action="store_true", help=_("trust it no longer"))
    options.add_target(parser)
    options.add_output(parser)


def run(args: argparse.Namespace, _body: str | None, context: Context) -> Trusted:
    """Trust the files by their content, or forget them; returns what is trusted of them then.

    InputError where there is nothing to trust, or more files than are remembered.
    """
    from aip_magics.deploy import trust_store
    from aip_magics.trust import digest, trust_in

    data_dir = context.settings(args).data_dir
    if args.place is None:
        if args.forget:
            raise InputError(_("nothing is named to be forgotten"), where="--forget", fix=_("name a directory"))
        found = Trusted(trust_store.names_in(data_dir), tuple(sorted(trust_in(data_dir).modules)))
        context.face.show(found)
        return found
    files = {digest(file.path): file for file in _files(args, context)}
    if len(files) > trust_store.MAX_FILES:
        text = _(
            "{count} files are more than the {most} that are remembered", count=len(files), most=trust_store.MAX_FILES
        )
        raise InputError(text, where=args.place, fix=_("name the directory of one model"))
    if args.forget:
        trust_store.forget(data_dir, files)
        found = Trusted({})
    else:
        trust_store.remember(data_dir, files)
        found = Trusted({sha256: file.name for sha256, file in files.items()})
    context.face.show(found)
    return found


def _files(args: argparse.Namespace, context: Context) -> tuple[File, ...]:
    from aip_magics.artifacts import file_at, list_files
    from aip_magics.commands.common.model_source import local_directory, local_packages

    if args.place.endswith(_ARCHIVES):
        [path] = local_packages(args.place, args, context)
    else:
        path = local_directory(args.place, args, context)
    return (file_at(path),) if path.is_file() else list_files(path).files


COMMAND = Command("trust", add_options, run, example="%aip_trust gs://my-bucket/iris/v1")
