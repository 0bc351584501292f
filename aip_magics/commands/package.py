"""`package`: build custom code as a source distribution for `--package-uris`, and list what a model needs of it."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from aip_magics import artifacts
from aip_magics.artifacts import pickle_globals
from aip_magics.commands.common import container_export, options
from aip_magics.commands.common.command import Command, Context
from aip_magics.errors import ModelDirError, OptionError
from aip_magics.i18n import gettext as _

if TYPE_CHECKING:
    from aip_magics.sdist import Package
    from aip_magics.serving.export import Container

_PICKLES = (".joblib", ".pkl")


@dataclasses.dataclass(frozen=True)
class PickledFromMain:
    """The classes and functions of the notebook (`__main__`) that a pickled model references.

    Other processes cannot import them. `complete` is False if the file could not be read completely; then there may be
    more names.
    """

    panel_kind: ClassVar[str] = "of main"
    file: Path
    names: tuple[str, ...]
    complete: bool
    advice: str

    def to_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "file": str(self.file), "names": list(self.names)}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", nargs="?", metavar="PATH", help=_("module (my_code.py) or directory with modules"))
    parser.add_argument("--name", metavar="NAME", help=_("name of the package (default: name of the module)"))
    parser.add_argument("--version", metavar="VERSION", help=_("version of the package (default: 0.1)"))
    parser.add_argument("--output", metavar="DIR", default="dist", help=_("output directory (default: dist)"))
    parser.add_argument(
        "--runtime-version", metavar="X.Y", help=_("runtime version to check against (default: the newest)")
    )
    parser.add_argument(
        "--model-dir", metavar="DIR", help=_("list the names in this model that were pickled from the notebook")
    )
    container_export.add_options(parser)
    options.add_show(parser)
    options.add_target(parser)
    options.add_output(parser)


def run(args: argparse.Namespace, _body: str | None, context: Context) -> Package | PickledFromMain | Container | str:
    """Build the package and return it; without PATH, return what the model in `--model-dir` needs of the notebook.

    With `--container` return the exported container, which has the package in it. With `--show` return the text of a
    program that builds the same file.
    """
    container_export.check_options(args)
    if args.show:
        return _shown(args, context)
    if args.container:
        built = [_build_package(args, None)] if args.path else []
        for package in built:
            _trust_package(package.path, context)
        container = container_export.export(args, [package.path for package in built], context)
        context.reporter.show(container)
        return container
    pickled_names = _inspect_model(Path(os.path.expanduser(args.model_dir))) if args.model_dir else None
    result: Package | PickledFromMain
    if args.path:
        result = _build_package(args, pickled_names)
        _trust_package(result.path, context)
    elif pickled_names is not None:
        result = pickled_names
    else:
        raise _nothing_to_package()
    context.reporter.show(result)
    return result


def _shown(args: argparse.Namespace, context: Context) -> str:
    from aip_magics.commands.show import local_equivalents

    if not args.path:
        raise _nothing_to_package()
    options = {"name": args.name, "version": args.version, "runtime_version": args.runtime_version}
    lines = local_equivalents.python_package(
        Path(os.path.expanduser(args.path)), output=Path(os.path.expanduser(args.output)), **options
    )
    text = local_equivalents.choose_script(args.show, {"python": lines}, _("packages are built on this machine"))
    context.reporter.show(text)
    return text


def _nothing_to_package() -> OptionError:
    return OptionError(_("a module or a directory is required"), where="PATH", fix="%aip_package my_code.py")


def _build_package(args: argparse.Namespace, pickled_names: PickledFromMain | None) -> Package:
    from aip_magics.sdist import package

    path = Path(os.path.expanduser(args.path))
    built = package(
        path,
        name=args.name,
        version=args.version,
        output=Path(os.path.expanduser(args.output)),
        runtime_version=args.runtime_version,
    )
    if pickled_names is None or not pickled_names.names:
        return built
    return dataclasses.replace(built, notes=(*_explain_names(pickled_names, path, built.modules), *built.notes))


def _trust_package(path: Path, context: Context) -> None:
    """Trust the package, so that it is built locally without a question: its code is the user's own."""
    from aip_magics.deploy import trust_store
    from aip_magics.trust import digest

    file = artifacts.file_at(path)
    trust_store.remember(context.data_dir(), {digest(file.path): file})


def _inspect_model(model_dir: Path) -> PickledFromMain:
    """Find the names of the notebook in a pickled model."""
    files = [
        file
        for file in artifacts.inspect_model_dir(model_dir, on_disk=True).model_files
        if file.name.endswith(_PICKLES)
    ]
    if not files:
        text = _("no pickled model found in this directory")
        raise ModelDirError(text, where=str(model_dir), fix=_("use a directory with a model.joblib or model.pkl"))
    pickled = pickle_globals.read(files[0].path)
    names = ", ".join(pickled.of_main)
    advice = _("nothing in the model was defined in a notebook")
    if not pickled.complete:
        advice = _("the model could not be read completely and may reference names from a notebook")
    if pickled.of_main:
        advice = _(
            "move {names} into a module (my_code.py), import from that module in the notebook "
            "(from my_code import {names}), train and save the model again, then run %aip_package "
            "my_code.py and deploy with --package-uris",
            names=names,
        )
    return PickledFromMain(files[0].path, pickled.of_main, pickled.complete, advice)


def _explain_names(pickled_names: PickledFromMain, path: Path, modules: Sequence[str]) -> Iterator[str]:
    """Yield what to do about each name of the notebook that the model references."""
    defining_modules = dict(_definitions(path))
    for name in pickled_names.names:
        top_level = name.partition(".")[0]
        if top_level in defining_modules:
            yield _(
                "{file} references {name} from the notebook (__main__), which other processes cannot import: "
                "run `{line}` in the notebook, then save the model again",
                file=pickled_names.file.name,
                name=name,
                line=f"from {defining_modules[top_level]} import {top_level}",
            )
        else:
            yield _(
                "{file} references {name} from the notebook (__main__), which is not in this package: "
                "move {name} into {module}, import it from there, then save the model again",
                file=pickled_names.file.name,
                name=name,
                module=modules[0],
            )


def _definitions(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each class and function of the top-level modules with the module that defines it."""
    files = [path] if path.is_file() else sorted(path.glob("*.py"))
    package = path.name if (path / "__init__.py").exists() else ""
    for file in files:
        module = ".".join(part for part in (package, file.stem) if part and part != "__init__")
        for node in ast.parse(file.read_bytes()).body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                yield node.name, module


COMMAND = Command("package", add_options, run, example="%aip_package my_code.py --model-dir ./export")
