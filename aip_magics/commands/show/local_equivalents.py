"""Write commands that run on this machine as an equivalent script: with gcloud where possible, else Python."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aip_magics.commands.common.options import ScriptFormat
from aip_magics.commands.show import shell
from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _

if TYPE_CHECKING:
    from aip_magics.deploy import Deployment
    from aip_magics.settings import Settings

_PATH = "from pathlib import Path"


def choose_script(script_format: ScriptFormat, scripts: Mapping[ScriptFormat, Sequence[str]], why_missing: str) -> str:
    """Return the script in the requested format. OptionError with `why_missing` if there is no such script."""
    if script_format in scripts:
        return "\n".join(scripts[script_format])
    fix = _("use {forms}", forms=", ".join(f"--show {name}" for name in scripts))
    text = _("--show {form} is not available: {why}", form=script_format, why=why_missing)
    raise OptionError(text, where="--show", fix=fix)


def gcloud_local_predict(model_dir: Path, framework: str, request: bytes) -> list[str]:
    """Return a `gcloud ai-platform local predict` command with this Python; the command requires the framework."""
    body = json.loads(request)
    flags = [f"--model-dir={model_dir}", f"--framework={framework.lower().replace('_', '-')}"]
    flags += [f"--signature-name={body['signature_name']}"] if body.get("signature_name") else []
    line = shell.words("gcloud", "ai-platform", "local", "predict", *flags, "--json-request=-")
    content = shell.heredoc(shell.one_line({"instances": body["instances"]}))
    return [*shell.exports({"CLOUDSDK_ML_ENGINE_LOCAL_PYTHON": sys.executable}), f"{line} <<'EOF'", *content]


def python_local_predict(model_dir: Path, request: bytes, runtime: Mapping[str, Any], **options: Any) -> list[str]:
    """Return a program that predicts in a worker.

    `runtime` are the arguments of `prepare_runtime`; they are empty for a prediction with this Python.
    """
    if not runtime:
        call = _call("local_predict", model_dir, body=request, **options)
        return [_PATH, "from aip_magics.prediction import local_predict", f"print({call})"]
    prepared = {"python": _Code("runtime.python"), "packages": _Code("runtime.packages")}
    return [
        _PATH,
        "from aip_magics.prediction import local_predict",
        "from aip_magics.prediction.runtime_setup import prepare_runtime",
        f"runtime = {_call('prepare_runtime', model_dir, **runtime)}",
        f"print({_call('local_predict', model_dir, body=request, **options, **prepared)})",
    ]


def python_package(path: Path, **options: Any) -> list[str]:
    """Return a program that builds the package."""
    return [_PATH, "from aip_magics.sdist import package", f"print({_call('package', path, **options)})"]


def python_check(deployment: Deployment, settings: Settings) -> list[str]:
    """Return a program that checks a deployment and, with test instances, runs the local trial."""
    names = ("target", "project", "region", "endpoint", "storage_endpoint")
    target = {name: setting.value for name in names if (setting := getattr(settings, name))}
    model, version = deployment.model.to_json(), deployment.version.to_json()
    fields = {
        "origin": deployment.origin,
        "model": _Code(f"Model.from_json({model!r})") if model else None,
        "version": _Code(f"Version.from_json({version!r})") if version else None,
        "staging_bucket": deployment.staging_bucket,
        "test": deployment.test,
        "include": deployment.include,
        "skip": _Code(f"frozenset({sorted(deployment.skip)!r})") if deployment.skip else None,
        "strict": deployment.strict,
        "trust": deployment.trust,
        "env": deployment.env if deployment.env != "current" else None,
    }
    return [
        "from aip_magics import settings",
        "from aip_magics.deploy import Deployment",
        "from aip_magics.deploy.preflight import check_with_trial",
        "from aip_magics.spec import Model, Version",
        "from aip_magics.targets import choose",
        f"target = choose({_call('settings.resolve', **target)})",
        f"deployment = {_call('Deployment', **fields)}",
        "print(check_with_trial(deployment, target).to_json())",
    ]


class _Code(str):
    """An expression of the program, which is not quoted."""

    __slots__ = ()


def _call(function: str, *values: Any, **named: Any) -> str:
    """Write a call without the arguments that are not set."""
    keywords = [f"{name}={_to_source(value)}" for name, value in named.items() if value]
    return f"{function}({', '.join([*map(_to_source, values), *keywords])})"


def _to_source(value: Any) -> str:
    if isinstance(value, _Code):
        return str(value)
    if isinstance(value, Path):
        return f"Path({str(value)!r})"
    return f"[{', '.join(map(_to_source, value))}]" if isinstance(value, list) else repr(value)
