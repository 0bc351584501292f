"""The options of the commands: gcloud's flags, letter for letter, and what they mean in the API's fields.

Source: gcloud 528 `ai-platform models create`, `versions create`, `predict`, `local predict`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aip_magics import catalog
from aip_magics.errors import OptionError
from aip_magics.language import say

if TYPE_CHECKING:
    from aip_magics.spec import Model, Version

FRAMEWORKS = ("scikit-learn", "tensorflow", "xgboost")


def words(text: str) -> list[str]:
    """`a,b` → ["a", "b"]: gcloud's lists."""
    return [word.strip() for word in text.split(",") if word.strip()]


def pairs(text: str) -> dict[str, str]:
    """`k=v,k=v` → a dict: gcloud's maps."""
    found = dict[str, str]()
    for word in words(text):
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise argparse.ArgumentTypeError(say("{word!r} is not KEY=VALUE", word=word))
        found[key.strip()] = value.strip()
    return found


def framework(text: str) -> str:
    """gcloud takes scikit-learn, SCIKIT_LEARN, Scikit_Learn …"""
    return text.lower().replace("_", "-")


def add_target(parser: argparse.ArgumentParser) -> None:
    """Options of every command that talks to a target."""
    group = parser.add_argument_group(say("target"))
    group.add_argument("--target", choices=("local", "aiplatform"), help=say("local: the embedded server (default)"))
    group.add_argument("--project", metavar="PROJECT_ID", help=say("project of the models"))
    group.add_argument(
        "--region",
        choices=("global", *catalog.regional_regions()),
        metavar="REGION",
        help=say("use this regional endpoint"),
    )
    group.add_argument("--endpoint", metavar="URL", help=say("base URL of a compatible endpoint"))
    group.add_argument("--storage-endpoint", metavar="URL", help=say("base URL of its Cloud Storage"))


def add_output(parser: argparse.ArgumentParser) -> None:
    """Options of every command."""
    group = parser.add_argument_group(say("output"))
    group.add_argument("--quiet", "-q", action="store_true", help=say("show nothing but errors"))
    group.add_argument("--debug", action="store_true", help=say("show whole tracebacks"))


def add_model(parser: argparse.ArgumentParser) -> None:
    """Options of `models create`."""
    group = parser.add_argument_group(say("model"))
    group.add_argument(
        "--regions", type=words, metavar="REGION", help=say("region of the model on the global endpoint")
    )
    group.add_argument("--enable-logging", action="store_true", default=None, help=say("log accesses"))
    group.add_argument("--enable-console-logging", action="store_true", default=None, help=say("log stderr and stdout"))


def add_version(parser: argparse.ArgumentParser) -> None:
    """Options of `versions create`."""
    group = parser.add_argument_group(say("version"))
    group.add_argument("--origin", metavar="DIR", help=say("directory of the model, local or gs://, or $model"))
    group.add_argument("--staging-bucket", metavar="gs://BUCKET", help=say("where a local model goes"))
    group.add_argument("--framework", type=framework, choices=FRAMEWORKS, help=say("left out: found in the files"))
    group.add_argument("--runtime-version", metavar="X.Y")
    group.add_argument("--python-version", metavar="X.Y")
    group.add_argument("--machine-type", metavar="TYPE")
    group.add_argument("--description")
    group.add_argument("--labels", type=pairs, metavar="K=V,…")
    group.add_argument("--accelerator", type=pairs, metavar="type=T[,count=N]")
    group.add_argument("--min-nodes", type=int, metavar="N")
    group.add_argument("--max-nodes", type=int, metavar="N")
    group.add_argument("--metric-targets", type=pairs, metavar="cpu-usage=60,…")
    group.add_argument(
        "--package-uris", type=words, metavar="URI,…", help=say("own code: local files or gs:// objects")
    )
    group.add_argument(
        "--prediction-class", metavar="MODULE.CLASS", help=say("a custom prediction routine in a package")
    )
    group.add_argument("--service-account", metavar="EMAIL")
    group.add_argument(
        "--explanation-method", choices=("integrated-gradients", "sampled-shapley", "xrai"), metavar="METHOD"
    )
    group.add_argument("--num-integral-steps", type=int, default=50, metavar="N")
    group.add_argument("--num-paths", type=int, default=50, metavar="N")
    container = parser.add_argument_group(say("custom container"))
    container.add_argument("--image", metavar="URI")
    container.add_argument("--command", type=words, metavar="WORD,…")
    container.add_argument("--args", type=words, metavar="WORD,…")
    container.add_argument("--ports", type=words, metavar="PORT,…")
    container.add_argument("--env-vars", type=pairs, metavar="K=V,…")
    container.add_argument("--predict-route", metavar="PATH")
    container.add_argument("--health-route", metavar="PATH")


def model_fields(args: argparse.Namespace) -> dict[str, Any]:
    """The fields of the Model resource that the line gives."""
    return _set(
        {
            "name": args.model,
            "regions": args.regions,
            "onlinePredictionLogging": args.enable_logging,
            "onlinePredictionConsoleLogging": args.enable_console_logging,
        }
    )


def version_fields(args: argparse.Namespace) -> dict[str, Any]:
    """The fields of the Version resource that the line gives."""
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


def model_of(args: argparse.Namespace) -> Model:
    from aip_magics.spec import Model

    return Model.from_json(model_fields(args))


def version_of(fields: dict[str, Any]) -> Version:
    from aip_magics.spec import Version

    return Version.from_json(fields)


def _auto_scaling(args: argparse.Namespace) -> dict[str, Any] | None:
    metrics = [
        {"name": name.upper().replace("-", "_"), "target": _number(value, "--metric-targets")}
        for name, value in (args.metric_targets or {}).items()
    ]
    # `--min-nodes=0` is sent here: gcloud drops it, and the version then scales otherwise than was asked.
    return _set({"minNodes": args.min_nodes, "maxNodes": args.max_nodes, "metrics": metrics or None}) or None


def _accelerator(found: dict[str, str] | None) -> dict[str, Any] | None:
    if found is None:
        return None
    if "type" not in found or set(found) - {"type", "count"}:
        raise OptionError(
            say("type=T and count=N are wanted"), where="--accelerator", fix="type=nvidia-tesla-t4,count=1"
        )
    kind = found["type"].upper().replace("-", "_")
    return {"type": kind, "count": _number(found.get("count", "1"), "--accelerator count")}


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
            raise OptionError(say("container options need an image"), where="--image", fix=say("add --image URI"))
        return None
    ports = [{"containerPort": _number(port, "--ports")} for port in args.ports or ()]
    env = [{"name": name, "value": value} for name, value in (args.env_vars or {}).items()]
    return {"image": args.image, **_set({**given, "ports": ports or None, "env": env or None})}


def _number(text: str, where: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise OptionError(say("{text!r} is not a whole number", text=text), where=where) from None


def _set(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


AddOptions = Callable[[argparse.ArgumentParser], None]
