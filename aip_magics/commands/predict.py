"""`predict` and `local-predict`: predict instances online or on this machine."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aip_magics.commands.common import options
from aip_magics.commands.common.command import Command, Context, Reporter
from aip_magics.commands.common.instances import add_instances, request
from aip_magics.commands.common.model_inputs import deployment_inputs, version_inputs
from aip_magics.errors import AipError, ChecksFailed, OptionError
from aip_magics.events import Failed, Note, StepFinished, StepSkipped, StepStarted
from aip_magics.i18n import gettext as _
from aip_magics.i18n import ngettext

if TYPE_CHECKING:
    from aip_magics.artifacts.facts import ModelInputs
    from aip_magics.checks import CheckContext
    from aip_magics.commands.show import DryRun
    from aip_magics.prediction.runtime_setup import PreparedRuntime


def add_predict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, metavar="NAME", help=_("the model to predict with"))
    parser.add_argument("--version", metavar="VERSION", help=_("default: the model's default version"))
    add_instances(parser)
    options.add_dry_run(parser)
    options.add_target(parser)
    options.add_output(parser)


def predict(args: argparse.Namespace, body: str | None, context: Context) -> dict[str, Any] | DryRun | str:
    """Predict online; return `{"predictions": […]}`, one prediction per instance."""
    from aip_magics.commands import show

    body_json = request(args, body, context, version_inputs(args, context))
    target = context.target(args)
    shown = show.preview(args, context, target, lambda: target.plans.predict(args.model, body_json, args.version))
    if shown is not None:
        return shown
    target.connect()
    answer = target.client.predict(args.model, body_json, args.version)
    context.reporter.show(answer)
    return answer


def add_local_predict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model-dir",
        required=True,
        metavar="DIR",
        help=_("model directory (local or gs://), model file, or $model"),
    )
    parser.add_argument(
        "--framework", type=options.framework, choices=options.FRAMEWORKS, help=_("default: detected from the files")
    )
    parser.add_argument(
        "--package-uris", type=options.split_commas, default=[], metavar="FILE,…", help=_("the model's custom code")
    )
    parser.add_argument("--prediction-class", metavar="MODULE.CLASS", help=_("class of the custom prediction routine"))
    group = parser.add_argument_group(_("environment"))
    options.add_env(group)
    group.add_argument(
        "--runtime-version", metavar="X.Y", help=_("with --env runtime (default: the version that matches the model)")
    )
    group.add_argument(
        "--python-version",
        metavar="X.Y",
        help=_("with --env runtime or model (default: the newest Python of the runtime, one that fits the model)"),
    )
    add_instances(parser)
    options.add_trust(parser)
    options.add_show(parser)
    options.add_target(parser)
    options.add_output(parser)


def local_predict(args: argparse.Namespace, body: str | None, context: Context) -> dict[str, Any] | str:
    """Predict in a local process; return `{"predictions": […]}` and report which Python was used.

    With `--show` return the text of an equivalent script. ChecksFailed if loading the model would run code that is
    neither known, nor in `--package-uris`, nor trusted.
    """
    from aip_magics.checks.trust import is_trusted
    from aip_magics.prediction.local import local_predict as predict_in_worker
    from aip_magics.prediction.local import resolve_model_dir
    from aip_magics.spec import Version

    if not args.show:
        _preload(args)
    from aip_magics.commands.common.model_source import local_directory, local_packages

    if args.env == "current" and (args.runtime_version or args.python_version):
        flag = "--runtime-version" if args.runtime_version else "--python-version"
        raise OptionError(
            _("the option has no effect with --env current, which uses this Python"),
            where=flag,
            fix=_("add --env runtime"),
        )
    if args.env == "model" and args.runtime_version:
        raise OptionError(
            _("the option has no effect with --env model, which uses the libraries that saved the model"),
            where="--runtime-version",
            fix=_("use --env runtime"),
        )

    def read_inputs() -> ModelInputs:
        directory = str(local_directory(args.model_dir, args, context))
        return deployment_inputs(directory, Version(predictionClass=args.prediction_class), args, context)()

    body_json = request(args, body, context, read_inputs)
    model_dir = resolve_model_dir(local_directory(args.model_dir, args, context))
    packages = local_packages(args.package_uris, args, context)
    if args.show:
        return _show_script(args, model_dir, packages, body_json, context)
    trusted = _require_trust(args, model_dir, packages, context)
    runtime = _prepare_runtime(args, model_dir, packages, trusted.trust.files if trusted.trust else (), context)
    with _step(context.reporter, "predict", _("Predict locally")) as summary:
        answer = predict_in_worker(
            model_dir,
            body=body_json,
            framework=args.framework,
            python=runtime.python,
            packages=runtime.packages,
            prediction_class=args.prediction_class,
            trusted=is_trusted(trusted),
            trusted_modules=sorted(trusted.trust.modules) if trusted.trust else (),
        )
        summary.append(ngettext("{number} prediction", "{number} predictions", len(answer["predictions"])))
    context.reporter.show(answer)
    return answer


def _preload(args: argparse.Namespace) -> None:
    """Import the framework in the background while this process reads the instances."""
    from aip_magics.prediction.local import preload, worker_spec

    if args.env == "current" and not args.package_uris:
        with contextlib.suppress(AipError):  # reported later, when the model directory is resolved
            framework = args.framework or worker_spec(args.model_dir).preload
            preload(framework, prediction_class=args.prediction_class)


def _show_script(
    args: argparse.Namespace, model_dir: Path, packages: list[Path], body_json: bytes, context: Context
) -> str:
    """Return the script of `--show`: gcloud's local prediction if it is equivalent, else a Python program."""
    from aip_magics.artifacts import inspect_model_dir
    from aip_magics.commands.show import local_equivalents
    from aip_magics.prediction.local import worker_spec

    runtime: dict[str, Any] = {}
    if packages or args.env != "current":
        versions = {"runtime_version": args.runtime_version, "python_version": args.python_version}
        runtime = {"cache": context.data_dir(), "env": args.env, "framework": args.framework, **versions}
        runtime["packages"] = packages
    model_options = {"framework": args.framework, "prediction_class": args.prediction_class}
    scripts: dict[options.ScriptFormat, list[str]] = {
        "python": local_equivalents.python_local_predict(model_dir, body_json, runtime, **model_options)
    }
    spec = worker_spec(model_dir, args.framework, prediction_class=args.prediction_class)
    framework = spec.framework or inspect_model_dir(spec.model_dir, on_disk=True).framework
    if framework and not runtime and not args.prediction_class:
        command = local_equivalents.gcloud_local_predict(spec.model_dir, framework, body_json)
        scripts = {"gcloud": command, **scripts}
    why_missing = (
        _("gcloud only predicts with this Python and without custom code")
        if args.show == "gcloud"
        else _("a local prediction sends no request")
    )
    text = local_equivalents.choose_script(args.show, scripts, why_missing)
    context.reporter.show(text)
    return text


def _require_trust(args: argparse.Namespace, model_dir: Path, packages: list[Path], context: Context) -> CheckContext:
    """Require trust in the model, as a deployment does before its trial: a worker runs the code that a model names."""
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
    check_context = CheckContext(Model(), version, inspect_model_dir(spec.model_dir, on_disk=True))
    try:
        return trust_store.require(
            check_context, context.data_dir(), vouched=args.trust or is_in_memory(args.model_dir, context)
        )
    except ChecksFailed as error:
        context.reporter.emit(Failed("checks", error))
        raise


def _prepare_runtime(
    args: argparse.Namespace, model_dir: Path, packages: list[Path], trusted: Collection[str], context: Context
) -> PreparedRuntime:
    from aip_magics.prediction import runtime_setup

    with _step(context.reporter, "environment", _("Prepare the environment")) as summary:
        prepared = runtime_setup.prepare_runtime(
            model_dir,
            context.data_dir(),
            env=args.env,
            framework=args.framework,
            runtime_version=args.runtime_version,
            python_version=args.python_version,
            packages=packages,
            trusted=trusted,
            on_line=lambda line: context.reporter.emit(Note("environment", line)),
        )
        if isinstance(prepared, runtime_setup.PreparedRuntime):
            summary.append(prepared.summary)
            return prepared
        context.reporter.emit(StepSkipped("environment", prepared.reason))
    raise runtime_setup.unavailable_error(prepared, args.env)


@contextlib.contextmanager
def _step(reporter: Reporter, step: str, title: str) -> Iterator[list[str]]:
    """Run one step. The block appends the summary to the list; without a summary the step does not finish."""
    summary: list[str] = []
    reporter.emit(StepStarted(step, title))
    try:
        yield summary
    except AipError as error:
        reporter.emit(Failed(step, error))
        raise
    if summary:
        reporter.emit(StepFinished(step, summary[0]))


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
