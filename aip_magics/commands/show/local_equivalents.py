"""What runs on this machine and sends nothing, as lines that do the same: gcloud's where it has such a command."""

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


def program(form: ScriptFormat, forms: Mapping[ScriptFormat, Sequence[str]], why: str) -> str:
    """The lines of this form. OptionError, with `why`, where there are none."""
    if form in forms:
        return "\n".join(forms[form])
    fix = _("there is {forms}", forms=", ".join(f"--show {name}" for name in forms))
    raise OptionError(_("{form} has nothing that does this: {why}", form=form, why=why), where="--show", fix=fix)


def gcloud_local_predict(model_dir: Path, framework: str, request: bytes) -> list[str]:
    """`gcloud ai-platform local predict` with this Python; it wants to be told the framework."""
    body = json.loads(request)
    flags = [f"--model-dir={model_dir}", f"--framework={framework.lower().replace('_', '-')}"]
    flags += [f"--signature-name={body['signature_name']}"] if body.get("signature_name") else []
    line = shell.words("gcloud", "ai-platform", "local", "predict", *flags, "--json-request=-")
    content = shell.heredoc(shell.one_line({"instances": body["instances"]}))
    return [*shell.exports({"CLOUDSDK_ML_ENGINE_LOCAL_PYTHON": sys.executable}), f"{line} <<'EOF'", *content]


def python_local_predict(model_dir: Path, request: bytes, place: Mapping[str, Any], **asked: Any) -> list[str]:
    """A program that predicts in a worker; `place` are the arguments of `surround`, empty for this very Python."""
    if not place:
        call = _call("local_predict", model_dir, body=request, **asked)
        return [_PATH, "from aip_magics.prediction import local_predict", f"print({call})"]
    found = {"python": _Name("place.python"), "packages": _Name("place.packages")}
    return [
        _PATH,
        "from aip_magics.prediction import local_predict",
        "from aip_magics.prediction.runtime_setup import surround",
        f"place = {_call('surround', model_dir, **place)}",
        f"print({_call('local_predict', model_dir, body=request, **asked, **found)})",
    ]


def python_package(path: Path, **asked: Any) -> list[str]:
    """A program that makes the package."""
    return [_PATH, "from aip_magics.sdist import package", f"print({_call('package', path, **asked)})"]


def python_check(deployment: Deployment, settings: Settings) -> list[str]:
    """A program that checks a deployment, and tries it where there are test instances."""
    names = ("target", "project", "region", "endpoint", "storage_endpoint")
    place = {name: setting.value for name in names if (setting := getattr(settings, name))}
    model, version = deployment.model.to_json(), deployment.version.to_json()
    asked = {
        "origin": deployment.origin,
        "model": _Name(f"Model.from_json({model!r})") if model else None,
        "version": _Name(f"Version.from_json({version!r})") if version else None,
        "staging_bucket": deployment.staging_bucket,
        "test": deployment.test,
        "skip": _Name(f"frozenset({sorted(deployment.skip)!r})") if deployment.skip else None,
        "strict": deployment.strict,
        "trust": deployment.trust,
    }
    return [
        "from aip_magics import settings",
        "from aip_magics.deploy import Deployment",
        "from aip_magics.deploy.preflight import check_and_try",
        "from aip_magics.spec import Model, Version",
        "from aip_magics.targets import choose",
        f"target = choose({_call('settings.resolve', **place)})",
        f"deployment = {_call('Deployment', **asked)}",
        "print(check_and_try(deployment, target).to_json())",
    ]


class _Name(str):
    """A piece of the program, not a text in it."""

    __slots__ = ()


def _call(function: str, *values: Any, **named: Any) -> str:
    """A call, without the arguments that are not set."""
    given = [f"{name}={_written(value)}" for name, value in named.items() if value]
    return f"{function}({', '.join([*map(_written, values), *given])})"


def _written(value: Any) -> str:
    if isinstance(value, _Name):
        return str(value)
    if isinstance(value, Path):
        return f"Path({str(value)!r})"
    return f"[{', '.join(map(_written, value))}]" if isinstance(value, list) else repr(value)
