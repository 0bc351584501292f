"""`compare`: send the same requests to two versions and show where and how much their predictions differ."""

from __future__ import annotations

import argparse
import math

from aip_magics.commands.common import options
from aip_magics.commands.common.command import Command, Context
from aip_magics.commands.common.comparison_requests import (
    no_logged_requests,
    requests_of_instances,
    requests_of_log,
)
from aip_magics.commands.common.model_choice import choose_model
from aip_magics.commands.logs import require_embedded
from aip_magics.deploy.comparison import PredictionComparison, summarize_answers
from aip_magics.deploy.comparison_run import MAX_CONCURRENCY, REQUESTS, ComparedRequest, compare_versions
from aip_magics.deploy.prediction_diff import RELATIVE
from aip_magics.errors import AipError, Interrupted, OptionError
from aip_magics.events import Failed, Note, Progress, StepFinished, StepStarted
from aip_magics.i18n import gettext as _
from aip_magics.i18n import ngettext
from aip_magics.targets import Target

STEP = "compare"
CONCURRENCY = 4
MAX_LOGGED = 10_000  # lines that the embedded server returns
EXAMPLE = "%aip_compare v1 v2 --model iris --instances rows.jsonl"  # as a magic and in a shell


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("version", metavar="VERSION", help=_("the version to compare with, as a rule the one in use"))
    parser.add_argument("other", metavar="OTHER", help=_("the other version, as a rule the new one"))
    parser.add_argument("--model", metavar="NAME", help=_("the model of both (default: the project's only model)"))
    requests = parser.add_argument_group(_("requests (one of the two)"))
    requests.add_argument(
        "--instances",
        dest="instances_from",
        metavar="FILE|$X",
        help=_("file (local or gs://) with a JSON value per line or a list, or $X, a variable"),
    )
    requests.add_argument(
        "--from-log", type=int, metavar="N", help=_("repeat the last N requests in the request log of VERSION")
    )
    requests.add_argument("--signature-name", metavar="NAME", help=_("signature of a TensorFlow model"))
    requests.add_argument(
        "--batch-size",
        type=int,
        metavar="N",
        help=_("instances per request (default: so many that there are {count} requests)", count=REQUESTS),
    )
    requests.add_argument(
        "--concurrency",
        type=int,
        default=CONCURRENCY,
        metavar="N",
        help=_("send N requests at a time (default: {count})", count=CONCURRENCY),
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        default=RELATIVE,
        metavar="X",
        help=_("floats with a relative difference of at most X are equal (default: {default})", default=RELATIVE),
    )
    options.add_target(parser)
    options.add_output(parser)


def run(args: argparse.Namespace, _body: str | None, context: Context) -> PredictionComparison:
    """Return a PredictionComparison: how many predictions differ, where and by how much, errors and latencies.

    Nothing is changed and no user of the model notices; requests of the log are logged once more. The command line
    exits with 1 if the versions do not predict the same.
    """
    _check_options(args)
    target = context.target(args)
    target.connect()
    model = choose_model(target, args.model, EXAMPLE, args.version, args.other)
    names = [target.client.get_version(model, name).id for name in (args.version, args.other)]
    requests, skipped = _requests(args, context, target, model)
    empty = PredictionComparison(
        model=model.rpartition("/")[2],
        source="log" if args.from_log else "instances",
        instances=0,
        compared=0,
        equal=0,
        tolerance=args.tolerance,
        outputs=(),
        examples=(),
        left=summarize_answers(names[0]),
        right=summarize_answers(names[1]),
        concurrency=args.concurrency,
        skipped=skipped,
    )
    result = _compare(context, target, model, requests, empty)
    context.reporter.show(result)
    return result


def _check_options(args: argparse.Namespace) -> None:
    if bool(args.instances_from) == (args.from_log is not None):
        text = _("expected either instances or requests of the log")
        raise OptionError(text, where="--instances", fix=EXAMPLE)
    for flag, given in (("--batch-size", args.batch_size), ("--signature-name", args.signature_name)):
        if args.from_log is not None and given is not None:
            text = _("requests of the log are sent as they were")
            raise OptionError(text, where=flag, fix=_("omit {field}", field=flag))
    if not (math.isfinite(args.tolerance) and args.tolerance >= 0):
        text = _("expected 0 or more, got {value}", value=args.tolerance)
        raise OptionError(text, where="--tolerance", fix=f"--tolerance {RELATIVE}")
    for flag, value, most in (
        ("--from-log", args.from_log, MAX_LOGGED),
        ("--batch-size", args.batch_size, None),
        ("--concurrency", args.concurrency, MAX_CONCURRENCY),
    ):
        if value is not None and value < 1:
            raise OptionError(_("expected 1 or more, got {value}", value=value), where=flag, fix=f"{flag} 1")
        if value is not None and most is not None and value > most:
            text = _("must be between {least} and {most}, got {value}", least=1, most=most, value=value)
            raise OptionError(text, where=flag, fix=f"{flag} {most}")


def _requests(
    args: argparse.Namespace, context: Context, target: Target, model: str
) -> tuple[list[ComparedRequest], int]:
    """Return the requests, and how many of the log are skipped."""
    if args.from_log is None:
        return requests_of_instances(args, context, target, model), 0
    require_embedded(target, _("logs"))
    lines = target.client.version_logs(model, args.version, args.from_log).get("requests") or []
    requests, skipped = requests_of_log(lines)
    if not requests:
        raise no_logged_requests(model.rpartition("/")[2], args.version.rpartition("/")[2])
    return requests, skipped


def _compare(
    context: Context, target: Target, model: str, requests: list[ComparedRequest], empty: PredictionComparison
) -> PredictionComparison:
    """Compare in one step that shows the progress. An interrupt raises Interrupted; nothing has to be cleaned up."""
    left, right = empty.left.version, empty.right.version
    title = _("Compare {left} with {right}", left=left, right=right)
    emit = context.reporter.emit
    emit(StepStarted(STEP, title))
    if empty.skipped:
        text = ngettext(
            "{number} request of the log is incomplete and is skipped",
            "{number} requests of the log are incomplete and are skipped",
            empty.skipped,
        )
        emit(Note(STEP, text, "warning"))
    try:
        ask = {version: target.client.predictor(model, version) for version in {left, right}}
        result = compare_versions(
            lambda version, body: ask[version](body),
            requests,
            empty,
            lambda done, total: emit(Progress(STEP, done, total, "instances")),
        )
    except KeyboardInterrupt:
        error = Interrupted(_("interrupted by the user"), where=title, fix=_("run the command again to start over"))
        emit(Failed(STEP, error))
        raise error from None
    except AipError as error:
        emit(Failed(STEP, error))
        raise
    summary = ngettext("{number} instance compared", "{number} instances compared", result.compared)
    emit(StepFinished(STEP, summary))
    return result


COMMAND = Command("compare", add_options, run, example=EXAMPLE, failed=lambda result: not result.is_equal)
