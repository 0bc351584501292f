"""`predict` and `local-predict`: the same instances, online and on this machine."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aip_magics.commands.common import options
from aip_magics.commands.common.command import Command, Context, Reporter
from aip_magics.commands.common.instances import add_instances, request
from aip_magics.errors import AipError, ChecksFailed, OptionError
from aip_magics.events import Failed, Note, StepFinished, StepSkipped, StepStarted
from aip_magics.i18n import gettext as _

if TYPE_CHECKING:
    from aip_magics.checks import CheckContext
    from aip_magics.commands.show import DryRun
    from aip_magics.prediction.runtime_setup import PreparedRuntime


def add_predict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, metavar="NAME", help=_("the model that predicts"))
    parser.add_argument("--version", metavar="VERSION", help=_("left out: the model's default version"))
    add_instances(parser)
    options.add_dry_run(parser)
    options.add_target(parser)
    options.add_output(parser)


def predict(args: argparse.Namespace, body: str | None, context: Context) -> dict[str, Any] | DryRun | str:
    """Online prediction; returns `{"predictions": […]}`, one prediction per instance."""
    from aip_magics.client import calls
    from aip_magics.commands import show

    asked = request(args, body, context)
    target = context.target(args)
    name = calls.model_name(target.project, args.model)
    if args.version:
        name = calls.version_name(target.project, args.model, args.version)
    instead = show.preview(args, context, target, [calls.predict(name, asked)])
    if instead is not None:
        return instead
    target.connect()
    answer = target.client.predict(args.model, asked, args.version)
    context.face.show(answer)
    return answer


def add_local_predict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model-dir",
        required=True,
        metavar="DIR",
        help=_("directory of the model (local, gs://), its file, or $model"),
    )
    parser.add_argument(
        "--framework", type=options.framework, choices=options.FRAMEWORKS, help=_("left out: found in the files")
    )
    parser.add_argument(
        "--package-uris", type=options.split_commas, default=[], metavar="FILE,…", help=_("the model's own code")
    )
    parser.add_argument("--prediction-class", metavar="MODULE.CLASS", help=_("the custom prediction routine"))
    group = parser.add_argument_group(_("where it runs"))
    group.add_argument(
        "--env",
        choices=("current", "runtime"),
        default="current",
        help=_("current: this Python; runtime: the Python and libraries of a runtime version"),
    )
    group.add_argument("--runtime-version", metavar="X.Y", help=_("with --env runtime; left out: the one that fits"))
    group.add_argument("--python-version", metavar="X.Y", help=_("with --env runtime; left out: the runtime's newest"))
    add_instances(parser)
    options.add_trust(parser)
    options.add_show(parser)
    options.add_target(parser)
    options.add_output(parser)


def local_predict(args: argparse.Namespace, body: str | None, context: Context) -> dict[str, Any] | str:
    """Prediction in a process of this machine; returns `{"predictions": […]}` and tells which Python it was.

    With `--show` the text of what does the same. ChecksFailed where loading the model would run what is neither known,
    nor in `--package-uris`, nor trusted.
    """
    from aip_magics.checks.trust import is_trusted
    from aip_magics.prediction.local import directory
    from aip_magics.prediction.local import local_predict as predict_here

    if not args.show:
        _preload(args)
    from aip_magics.commands.common.model_source import local_directory, local_packages

    if args.env == "current" and (args.runtime_version or args.python_version):
        flag = "--runtime-version" if args.runtime_version else "--python-version"
        raise OptionError(_("this Python is taken, whatever the version says"), where=flag, fix=_("add --env runtime"))
    asked = request(args, body, context)
    model_dir = directory(local_directory(args.model_dir, args, context))
    packages = local_packages(args.package_uris, args, context)
    if args.show:
        return _shown(args, model_dir, packages, asked, context)
    trusted = _require_trust(args, model_dir, packages, context)
    place = _prepare_runtime(args, model_dir, packages, trusted.trust.files if trusted.trust else (), context)
    with _step(context.face, "predict", _("Predict here")) as told:
        answer = predict_here(
            model_dir,
            body=asked,
            framework=args.framework,
            python=place.python,
            packages=place.packages,
            prediction_class=args.prediction_class,
            trusted=is_trusted(trusted),
            trusted_modules=sorted(trusted.trust.modules) if trusted.trust else (),
        )
        count = len(answer["predictions"])
        told.append(_("1 prediction") if count == 1 else _("{count} predictions", count=count))
    context.face.show(answer)
    return answer


def _preload(args: argparse.Namespace) -> None:
    """Have the framework imported while this process reads the rest of itself and the instances."""
    from aip_magics.prediction.local import warm, worker_spec

    if args.env == "current" and not args.package_uris:
        with contextlib.suppress(AipError):  # told where the model is really looked for
            framework = args.framework or worker_spec(args.model_dir).preload
            warm(framework, prediction_class=args.prediction_class)


def _shown(args: argparse.Namespace, model_dir: Path, packages: list[Path], asked: bytes, context: Context) -> str:
    """What `--show` asks for: gcloud's own local prediction where it can do the same, else a program."""
    from aip_magics.artifacts import inspect_model_dir
    from aip_magics.commands.show import local_equivalents
    from aip_magics.prediction.local import worker_spec

    place: dict[str, Any] = {}
    if packages or args.env == "runtime":
        versions = {"runtime_version": args.runtime_version, "python_version": args.python_version}
        place = {"cache": context.data_dir(), "env": args.env, "framework": args.framework, **versions}
        place["packages"] = packages
    own = {"framework": args.framework, "prediction_class": args.prediction_class}
    forms: dict[options.ScriptFormat, list[str]] = {
        "python": local_equivalents.python_local_predict(model_dir, asked, place, **own)
    }
    spec = worker_spec(model_dir, args.framework, prediction_class=args.prediction_class)
    framework = spec.framework or inspect_model_dir(spec.model_dir).framework
    if framework and not place and not args.prediction_class:
        forms = {"gcloud": local_equivalents.gcloud_local_predict(spec.model_dir, framework, asked), **forms}
    why = _("it predicts with this Python, without own code") if args.show == "gcloud" else _("nothing is sent")
    text = local_equivalents.program(args.show, forms, why)
    context.face.show(text)
    return text


def _require_trust(args: argparse.Namespace, model_dir: Path, packages: list[Path], context: Context) -> CheckContext:
    """What a deployment asks before it tries the model, asked here too: a worker runs what the model names."""
    from aip_magics.artifacts import inspect_model_dir
    from aip_magics.checks import CheckContext
    from aip_magics.commands.common.model_source import is_in_memory
    from aip_magics.deploy import trust_store
    from aip_magics.prediction.local import worker_spec
    from aip_magics.spec import Model, Version

    spec = worker_spec(model_dir, args.framework, prediction_class=args.prediction_class)
    version = Version.from_json(
        {
            "framework": spec.framework,
            "predictionClass": args.prediction_class,
            "packageUris": [str(package) for package in packages] or None,
        }
    )
    subject = CheckContext(Model(), version, inspect_model_dir(spec.model_dir))
    try:
        return trust_store.require(
            subject, context.data_dir(), vouched=args.trust or is_in_memory(args.model_dir, context)
        )
    except ChecksFailed as error:
        context.face.emit(Failed("checks", error))
        raise


def _prepare_runtime(
    args: argparse.Namespace, model_dir: Path, packages: list[Path], trusted: Collection[str], context: Context
) -> PreparedRuntime:
    from aip_magics.prediction import runtime_setup

    with _step(context.face, "environment", _("Prepare the environment")) as told:
        found = runtime_setup.prepare_runtime(
            model_dir,
            context.data_dir(),
            env=args.env,
            framework=args.framework,
            runtime_version=args.runtime_version,
            python_version=args.python_version,
            packages=packages,
            trusted=trusted,
            on_line=lambda line: context.face.emit(Note("environment", line)),
        )
        if isinstance(found, runtime_setup.PreparedRuntime):
            told.append(found.told)
            return found
        context.face.emit(StepSkipped("environment", found.reason))
    raise runtime_setup.skipped_error(found)


@contextlib.contextmanager
def _step(face: Reporter, step: str, title: str) -> Iterator[list[str]]:
    """A step of a run. What is put into the list is what it finished with; nothing, where it did not."""
    told: list[str] = []
    face.emit(StepStarted(step, title))
    try:
        yield told
    except AipError as error:
        face.emit(Failed(step, error))
        raise
    if told:
        face.emit(StepFinished(step, told[0]))


PREDICT = Command(
    name="predict",
    add_options=add_predict,
    run=predict,
    example="%%aip_predict --model iris\n- [5.1, 3.5, 1.4, 0.2]",
)
LOCAL_PREDICT = Command(
    name="local-predict",
    add_options=add_local_predict,
    run=local_predict,
    example="%%aip_local_predict --model-dir ./export\n- [5.1, 3.5, 1.4, 0.2]",
)
