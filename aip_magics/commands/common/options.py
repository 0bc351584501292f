"""Options that commands share, spelled as in gcloud, and their mapping to fields of the API.

Source: gcloud 528 `ai-platform models create`, `versions create`, `predict`, `local predict`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from aip_magics import target_types
from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _

if TYPE_CHECKING:
    from aip_magics.spec import Version

FRAMEWORKS = ("scikit-learn", "tensorflow", "xgboost")
ScriptFormat = Literal["gcloud", "curl", "python"]
SCRIPT_FORMATS: tuple[ScriptFormat, ...] = ("gcloud", "curl", "python")  # of `--show`


def split_commas(text: str) -> list[str]:
    """Parse a list as in gcloud: `a,b` → ["a", "b"]."""
    return [word.strip() for word in text.split(",") if word.strip()]


def pairs(text: str) -> dict[str, str]:
    """Parse a map as in gcloud: `k=v,k=v` → a dict."""
    parsed = dict[str, str]()
    for word in split_commas(text):
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise argparse.ArgumentTypeError(_("expected KEY=VALUE, got {word!r}", word=word))
        parsed[key.strip()] = value.strip()
    return parsed


def framework(text: str) -> str:
    """Normalize a framework as gcloud does: scikit-learn, SCIKIT_LEARN, Scikit_Learn …"""
    return text.lower().replace("_", "-")


def add_target(parser: argparse.ArgumentParser) -> None:
    """Add the options of every command that uses a target."""
    group = parser.add_argument_group(_("target"))
    group.add_argument(
        "--target",
        choices=target_types.NAMES,
        metavar="TARGET",
        help=_("{names}; local: the embedded server (default)", names=", ".join(target_types.OWN_NAMES)),
    )
    group.add_argument("--project", metavar="PROJECT_ID", help=_("project of the models"))
    group.add_argument("--region", metavar="REGION", help=_("use this regional endpoint"))
    group.add_argument(
        "--endpoint", metavar="URL", help=_("base URL of a compatible endpoint; local: this machine (vertex)")
    )
    group.add_argument("--storage-endpoint", metavar="URL", help=_("base URL of the endpoint's Cloud Storage"))


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the options of every command."""
    group = parser.add_argument_group(_("output"))
    group.add_argument("--quiet", "-q", action="store_true", help=_("show only errors"))
    group.add_argument("--debug", action="store_true", help=_("show full tracebacks"))


def add_dry_run(parser: argparse.ArgumentParser, *, dry_run: bool = True, help_text: str = "") -> None:
    """Add `--dry-run` and `--show`.

    Args:
        parser: The parser of the command.
        dry_run: False if the command adds `--dry-run` to another group.
        help_text: The help of `--dry-run`, if it does not show requests.
    """
    group = parser.add_argument_group(_("instead of sending requests"))
    if dry_run:
        group.add_argument(
            "--dry-run", action="store_true", help=help_text or _("show the requests without sending them")
        )
    group.add_argument(
        "--show", choices=SCRIPT_FORMATS, help=_("show equivalent gcloud, curl or Python code without sending anything")
    )


def add_show(parser: argparse.ArgumentParser) -> None:
    """Add `--show` of a command that runs on this machine and sends no request."""
    parser.add_argument(
        "--show", choices=SCRIPT_FORMATS, help=_("show equivalent gcloud or Python code without running anything")
    )


def add_trust(parser: argparse._ActionsContainer) -> None:
    """Add `--trust` of a command that loads a model on this machine."""
    text = _("trust the code that loading this model runs (remembered per file content)")
    parser.add_argument("--trust", action="store_true", help=text)


def add_include(parser: argparse._ActionsContainer) -> None:
    """Add `--include` of a command that uploads a directory."""
    parser.add_argument(
        "--include",
        type=split_commas,
        action="extend",
        default=[],
        metavar="FILE,…",
        help=_("upload these files although they are hidden, look like private keys, or are in .gcloudignore"),
    )


def add_model(parser: argparse.ArgumentParser, *, prefix: str = "--") -> None:
    """Add the options of `models create`.

    The prefix `--model-` distinguishes description and labels of the model from those of a version.
    """
    group = parser.add_argument_group(_("model"))
    group.add_argument(
        "--regions", type=split_commas, metavar="REGION", help=_("region of the model on the global endpoint")
    )
    group.add_argument("--enable-logging", action="store_true", default=None, help=_("enable access logging"))
    group.add_argument(
        "--enable-console-logging", action="store_true", default=None, help=_("enable logging of stderr and stdout")
    )
    group.add_argument(
        f"{prefix}description", dest="model_description", metavar="TEXT", help=_("description of the model")
    )
    group.add_argument(
        f"{prefix}labels", dest="model_labels", type=pairs, metavar="K=V,…", help=_("labels of the model")
    )


ENVS = ("current", "runtime", "model")  # as in `prediction.runtime_setup`, which a parser does not import


def add_env(group: Any) -> None:
    """Add `--env`: the Python that loads the model on this machine."""
    group.add_argument(
        "--env",
        choices=ENVS,
        default="current",
        help=_("Python and libraries that load the model here: current, of a runtime, or those that saved it"),
    )


def add_version(parser: argparse.ArgumentParser) -> None:
    """Add the options of `versions create`."""
    group = parser.add_argument_group(_("version"))
    group.add_argument("--origin", metavar="DIR", help=_("model directory (local or gs://), or $model"))
    group.add_argument("--staging-bucket", metavar="gs://BUCKET", help=_("bucket that a local model is uploaded to"))
    group.add_argument("--framework", type=framework, choices=FRAMEWORKS, help=_("default: detected from the files"))
    group.add_argument(
        "--runtime-version", metavar="X.Y", help=_("default: the runtime that matches the model's library version")
    )
    group.add_argument("--python-version", metavar="X.Y", help=_("default: the newest Python of the runtime"))
    group.add_argument("--machine-type", metavar="TYPE", help=_("default: the endpoint's default machine type"))
    group.add_argument("--description", metavar="TEXT", help=_("description of the version"))
    group.add_argument("--labels", type=pairs, metavar="K=V,…", help=_("labels for filtering and billing"))
    group.add_argument(
        "--accelerator", type=pairs, metavar="type=T[,count=N]", help=_("GPUs of each node (n1 machine types)")
    )
    add_nodes(group)
    group.add_argument(
        "--metric-targets",
        type=pairs,
        metavar="cpu-usage=60,…",
        help=_("target utilization in percent (automatic scaling)"),
    )
    group.add_argument(
        "--package-uris", type=split_commas, metavar="URI,…", help=_("custom code: local files or gs:// objects")
    )
    group.add_argument(
        "--prediction-class", metavar="MODULE.CLASS", help=_("class of a custom prediction routine in a package")
    )
    group.add_argument(
        "--service-account", metavar="EMAIL", help=_("service account that the model's custom code runs as")
    )
    group.add_argument(
        "--explanation-method",
        choices=("integrated-gradients", "sampled-shapley", "xrai"),
        metavar="METHOD",
        help=_("explain predictions with feature attributions"),
    )
    group.add_argument(
        "--num-integral-steps",
        type=int,
        default=50,
        metavar="N",
        help=_("steps of integrated-gradients and xrai (default: 50)"),
    )
    group.add_argument(
        "--num-paths", type=int, default=50, metavar="N", help=_("paths of sampled-shapley (default: 50)")
    )
    _add_container(parser)


def add_nodes(group: argparse._ArgumentGroup) -> None:
    """Add the options of automatic scaling."""
    group.add_argument("--min-nodes", type=int, metavar="N", help=_("minimum number of nodes (automatic scaling)"))
    group.add_argument("--max-nodes", type=int, metavar="N", help=_("maximum number of nodes (automatic scaling)"))


def _add_container(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(_("custom container"))
    group.add_argument("--image", metavar="URI", help=_("container image in Artifact Registry"))
    group.add_argument(
        "--command", type=split_commas, metavar="WORD,…", help=_("command that overrides the image's entry point")
    )
    group.add_argument("--args", type=split_commas, metavar="WORD,…", help=_("arguments of the command"))
    group.add_argument(
        "--ports", type=split_commas, metavar="PORT,…", help=_("ports that the container listens on (default: 8080)")
    )
    group.add_argument("--env-vars", type=pairs, metavar="K=V,…", help=_("environment variables of the container"))
    group.add_argument("--predict-route", metavar="PATH", help=_("path of prediction requests"))
    group.add_argument("--health-route", metavar="PATH", help=_("path of the health check"))


def add_request_logging(group: argparse._ArgumentGroup) -> None:
    """Add the options that log requests and responses to BigQuery, as `gcloud beta ai-platform versions update`."""
    group.add_argument("--bigquery-table-name", metavar="TABLE", help=_("log requests: project.dataset.table"))
    group.add_argument("--sampling-percentage", type=float, metavar="SHARE", help=_("log requests: 0 to 1 of them"))


def request_logging(args: argparse.Namespace) -> dict[str, Any]:
    """Return the field `requestLoggingConfig` if the line gives a part of it."""
    config = {"bigqueryTableName": args.bigquery_table_name, "samplingPercentage": args.sampling_percentage}
    return _set({"requestLoggingConfig": _set(config) or None})


def model_fields(args: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of the Model that the line gives."""
    return _set(
        {
            "name": args.model,
            "regions": args.regions,
            "onlinePredictionLogging": args.enable_logging,
            "onlinePredictionConsoleLogging": args.enable_console_logging,
            "description": args.model_description,
            "labels": args.model_labels,
        }
    )


def version_fields(args: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of the Version that the line gives."""
    return _set(
        {
            "name": args.version,
            "description": args.description,
            "framework": args.framework,
            "runtimeVersion": args.runtime_version,
            "pythonVersion": args.python_version,
            "machineType": args.machine_type,
            "labels": args.labels,
            "acceleratorConfig": _accelerator(args.accelerator),
            "autoScaling": _auto_scaling(args),
            "packageUris": args.package_uris,
            "predictionClass": args.prediction_class,
            "serviceAccount": args.service_account,
            "explanationConfig": _explanation(args),
            "container": _container(args),
            "routes": _set({"predict": args.predict_route, "health": args.health_route}) or None,
        }
    )


def build_version(fields: dict[str, Any]) -> Version:
    """Build a Version from fields of the API."""
    from aip_magics.spec import Version

    return Version.from_json(fields)


def _auto_scaling(args: argparse.Namespace) -> dict[str, Any] | None:
    metrics = [
        {"name": name.upper().replace("-", "_"), "target": _number(value, "--metric-targets")}
        for name, value in (args.metric_targets or {}).items()
    ]
    # gcloud drops `--min-nodes=0`; here it is sent, because the version would not scale as requested without it.
    return _set({"minNodes": args.min_nodes, "maxNodes": args.max_nodes, "metrics": metrics or None}) or None


def _accelerator(given: dict[str, str] | None) -> dict[str, Any] | None:
    if given is None:
        return None
    if "type" not in given or set(given) - {"type", "count"}:
        raise OptionError(
            _("expected type=TYPE and count=NUMBER"), where="--accelerator", fix="type=nvidia-tesla-t4,count=1"
        )
    kind = given["type"].upper().replace("-", "_")
    return {"type": kind, "count": _number(given.get("count", "1"), "--accelerator count")}


def _explanation(args: argparse.Namespace) -> dict[str, Any] | None:
    steps = {"numIntegralSteps": args.num_integral_steps}
    by_method: dict[str, dict[str, Any]] = {
        "integrated-gradients": {"integratedGradientsAttribution": steps},
        "sampled-shapley": {"sampledShapleyAttribution": {"numPaths": args.num_paths}},
        "xrai": {"xraiAttribution": steps},
    }
    return by_method.get(args.explanation_method)


def _container(args: argparse.Namespace) -> dict[str, Any] | None:
    given = {"command": args.command, "args": args.args, "ports": args.ports, "env": args.env_vars}
    if not args.image:
        if any(given.values()):
            raise OptionError(_("container options require an image"), where="--image", fix=_("add --image URI"))
        return None
    ports = [{"containerPort": _number(port, "--ports")} for port in args.ports or ()]
    env = [{"name": name, "value": value} for name, value in (args.env_vars or {}).items()]
    return {"image": args.image, **_set({**given, "ports": ports or None, "env": env or None})}


def _number(text: str, where: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise OptionError(_("{text!r} is not a whole number", text=text), where=where) from None


def _set(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


AddOptions = Callable[[argparse.ArgumentParser], None]
