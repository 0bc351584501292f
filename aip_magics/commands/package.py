"""`package`: own code as the source distribution that `--package-uris` takes, and what in a model needs it."""

from __future__ import annotations

import argparse
import ast
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aip_magics import artifacts
from aip_magics.artifacts import pickle_globals as pickled
from aip_magics.commands.common import options
from aip_magics.commands.common.command import Command, Context
from aip_magics.errors import ModelDirError, OptionError
from aip_magics.i18n import gettext as _

if TYPE_CHECKING:
    from aip_magics.sdist import Package

_PICKLES = (".joblib", ".pkl")


@dataclasses.dataclass(frozen=True)
class PickledFromMain:
    """The classes and functions of a notebook (`__main__`) that a pickled model names: no other process has them.

    `complete` is False where the file was not read to its end: then there may be more.
    """

    file: Path
    names: tuple[str, ...]
    complete: bool
    advice: str

    def to_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "file": str(self.file), "names": list(self.names)}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", nargs="?", metavar="PATH", help=_("a module (my_code.py) or a directory with modules"))
    parser.add_argument("--name", metavar="NAME", help=_("name of the package; left out: that of the module"))
    parser.add_argument("--version", metavar="VERSION", help=_("left out: 0.1"))
    parser.add_argument("--output", metavar="DIR", default="dist", help=_("where it is written (dist)"))
    parser.add_argument("--runtime-version", metavar="X.Y", help=_("where it is to run; left out: the newest"))
    parser.add_argument("--model-dir", metavar="DIR", help=_("name what was pickled from the notebook in this model"))
    options.add_show(parser)
    options.add_output(parser)


def run(args: argparse.Namespace, _body: str | None, context: Context) -> Package | PickledFromMain | str:
    """Make the package and return it; without a PATH, return what the model in `--model-dir` has of the notebook.

    With `--show` the text of a program that makes the same file.
    """
    if args.show:
        return _shown(args, context)
    found = _from_main(Path(args.model_dir).expanduser()) if args.model_dir else None
    result: Package | PickledFromMain
    if args.path:
        result = _package(args, found)
        _remember(result.path, context)
    elif found is not None:
        result = found
    else:
        raise _nothing_to_package()
    context.face.show(result)
    return result


def _shown(args: argparse.Namespace, context: Context) -> str:
    from aip_magics.commands.show import local_equivalents

    if not args.path:
        raise _nothing_to_package()
    asked = {"name": args.name, "version": args.version, "runtime_version": args.runtime_version}
    lines = local_equivalents.python_package(
        Path(args.path).expanduser(), output=Path(args.output).expanduser(), **asked
    )
    text = local_equivalents.program(args.show, {"python": lines}, _("a package is made on this machine"))
    context.face.show(text)
    return text


def _nothing_to_package() -> OptionError:
    return OptionError(_("a module or a directory is wanted"), where="PATH", fix="%aip_package my_code.py")


def _package(args: argparse.Namespace, found: PickledFromMain | None) -> Package:
    from aip_magics.sdist import package

    path = Path(args.path).expanduser()
    made = package(
        path,
        name=args.name,
        version=args.version,
        output=Path(args.output).expanduser(),
        runtime_version=args.runtime_version,
    )
    if found is None or not found.names:
        return made
    return dataclasses.replace(made, notes=(*_moves(found, path, made.modules), *made.notes))


def _remember(path: Path, context: Context) -> None:
    """What was made here is built here without a question."""
    from aip_magics.deploy import trust_store
    from aip_magics.trust import digest

    file = artifacts.file_at(path)
    trust_store.remember(context.data_dir(), {digest(file.path): file})


def _from_main(model_dir: Path) -> PickledFromMain:
    files = [file for file in artifacts.inspect_model_dir(model_dir).model_files if file.name.endswith(_PICKLES)]
    if not files:
        text = _("there is no pickled model in this directory")
        raise ModelDirError(text, where=str(model_dir), fix=_("name a directory with a model.joblib or model.pkl"))
    found = pickled.read(files[0].path)
    names = ", ".join(found.of_main)
    advice = _("nothing in it was defined in a notebook")
    if not found.complete:
        advice = _("it could not be read to its end, there may be something of a notebook in it")
    if found.of_main:
        advice = _(
            "move {names} into a module (my_code.py), import it in the notebook (from my_code import {names}), "
            "train and save the model again, then %aip_package my_code.py and deploy with --package-uris",
            names=names,
        )
    return PickledFromMain(files[0].path, found.of_main, found.complete, advice)


def _moves(found: PickledFromMain, path: Path, modules: Sequence[str]) -> Iterator[str]:
    """What is left to do for each name of the notebook, now that there is a package."""
    homes = dict(_definitions(path))
    for name in found.names:
        head = name.partition(".")[0]
        if head in homes:
            line = f"from {homes[head]} import {head}"
            do = _("`{line}` in the notebook, then save the model again", line=line)
        else:
            do = _(
                "it is not in this package: move it into {module}, import it from there, save the model again",
                module=modules[0],
            )
        yield _(
            "{file} has {name} from the notebook (__main__), which is nowhere else: {do}",
            file=found.file.name,
            name=name,
            do=do,
        )


def _definitions(path: Path) -> Iterator[tuple[str, str]]:
    """Class or function → the module that defines it, for the modules at the top."""
    files = [path] if path.is_file() else sorted(path.glob("*.py"))
    inside = path.name if (path / "__init__.py").exists() else ""
    for file in files:
        module = ".".join(part for part in (inside, file.stem) if part and part != "__init__")
        for node in ast.parse(file.read_bytes()).body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                yield node.name, module


COMMAND = Command("package", add_options, run, example="%aip_package my_code.py --model-dir ./export")
