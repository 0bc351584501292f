"""The options of `package --container`, and the export of a container from them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aip_magics.commands.common import options
from aip_magics.commands.common.command import Context
from aip_magics.commands.common.model_source import local_directory, local_packages
from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _

if TYPE_CHECKING:
    from aip_magics.serving.export import Container

DEFAULT_REGION = "us-central1"
_ONLY_WITH_CONTAINER = {
    "origin": "--origin",
    "framework": "--framework",
    "package_uris": "--package-uris",
    "prediction_class": "--prediction-class",
    "python_version": "--python-version",
    "image": "--image",
    "with_model": "--with-model",
    "replace": "--replace",
    "trust": "--trust",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a container."""
    group = parser.add_argument_group(_("container"))
    group.add_argument(
        "--container", metavar="DIR", help=_("write a directory that a prediction container is built from")
    )
    group.add_argument("--origin", metavar="DIR", help=_("model directory (local or gs://), or $model"))
    group.add_argument(
        "--framework", type=options.framework, choices=options.FRAMEWORKS, help=_("default: detected from the files")
    )
    group.add_argument(
        "--package-uris",
        type=options.split_commas,
        metavar="URI,…",
        help=_("custom code: local files or gs:// objects"),
    )
    group.add_argument(
        "--prediction-class", metavar="MODULE.CLASS", help=_("class of a custom prediction routine in a package")
    )
    group.add_argument(
        "--python-version", metavar="X.Y", help=_("default: a Python that the model's libraries support")
    )
    group.add_argument(
        "--image", metavar="URI", help=_("name of the image without a tag (default: by region, project and model)")
    )
    group.add_argument("--with-model", action="store_true", help=_("put the model's files into the container"))
    group.add_argument("--replace", action="store_true", help=_("discard changes to an earlier export in DIR"))
    options.add_trust(group)


def check_options(args: argparse.Namespace) -> None:
    """Raise OptionError for an option that needs another one, or excludes it."""
    if args.container:
        for name, flag in (("model_dir", "--model-dir"), ("show", "--show")):
            if getattr(args, name):
                text = _("the option has no effect with --container")
                raise OptionError(text, where=flag, fix=_("omit {option}", option=flag))
        return
    for name, flag in _ONLY_WITH_CONTAINER.items():
        if getattr(args, name):
            raise OptionError(_("the option requires --container"), where=flag, fix=_("add --container DIR"))


def export(args: argparse.Namespace, built: Sequence[Path], context: Context) -> Container:
    """Export the container.

    Args:
        args: The options.
        built: Packages that this command has built.
        context: What the command runs with.

    Raises:
        TrustError: Building a package would run code that is not trusted.
        AipError: as of `export_container`.
    """
    from aip_magics.serving.export import ContainerOptions, export_container

    model_dir = local_directory(args.origin, args, context) if args.origin else None
    packages = [*built, *local_packages(args.package_uris or (), args, context)]
    container_options = ContainerOptions(
        framework=args.framework,
        prediction_class=args.prediction_class,
        package_names=tuple(package.name for package in packages),
        installed=_install(packages, args.trust, context) if packages else None,
        runtime_version=args.runtime_version,
        python_version=args.python_version,
        with_model=args.with_model,
    )
    directory = Path(os.path.expanduser(args.container))
    image = args.image or _image(args, directory, context)
    return export_container(directory, model_dir, image, container_options, replace=args.replace)


def _install(packages: Sequence[Path], vouched: bool, context: Context) -> Path:
    """Install the packages into a directory, from which they are copied. TrustError if that needs consent."""
    import sys

    from aip_magics import artifacts
    from aip_magics.deploy import trust_store
    from aip_magics.prediction.packages import install
    from aip_magics.trust import digest, trust_in

    data_dir = context.data_dir()
    if vouched:
        trust_store.remember(data_dir, {digest(path): artifacts.file_at(path) for path in packages})
    return install(packages, sys.executable, data_dir, trusted=trust_in(data_dir).files, check=False)


def _image(args: argparse.Namespace, directory: Path, context: Context) -> str:
    from aip_magics.serving.export import image_name
    from aip_magics.target_types import LOCAL

    settings = context.settings(args)
    region = settings.region.value if settings.region else DEFAULT_REGION
    project = settings.project.value
    return image_name(
        DEFAULT_REGION if region == "global" else region,
        "PROJECT" if project == LOCAL.default_project else project,
        args.name or directory.absolute().name,
    )
