"""The cell equivalent to the form: parsing the cell gives the same Deployment at the same target."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

from aip_magics.notebook.form.state import FormState
from aip_magics.settings import LAST_RUN, Sourced

# Settings from these sources would be missing when the cell runs again, so the cell contains them.
_EXPLICIT_SOURCES = ("argument", LAST_RUN)
_MODEL_FIELDS = ("description", "labels")  # the other fields of a model are options
_PLAIN_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)


def build_cell(state: FormState, *, test: bool = True) -> str:
    """Build `%%aip_deploy …` with its body; `test=False` omits the test instances."""
    body = _body(state, test)
    line = " ".join(["%%aip_deploy" if body else "%aip_deploy", *_words(state)])
    if not body:
        return line
    from aip_magics.commands.common.yaml_writer import dump

    return f"{line}\n{dump(body, width=110)}"


def _words(state: FormState) -> Iterator[str]:
    """The words of the line: names, and options that are not fields of a Version."""
    deployment = state.deployment
    name = deployment.version.name
    if name and _PLAIN_NAME.fullmatch(name):
        yield name
    yield from _flag("--model", deployment.model.name)
    yield from _flag("--origin", deployment.origin)
    yield from _target(state)
    yield from _flag("--staging-bucket", deployment.staging_bucket)
    for pattern in deployment.include:
        yield from _flag("--include", pattern)
    switches = {
        "--enable-logging": deployment.model.onlinePredictionLogging,
        "--enable-console-logging": deployment.model.onlinePredictionConsoleLogging,
        "--replace": deployment.replace,
        "--trust": deployment.trust,
        "--strict": deployment.strict,
        "--try": deployment.force_trial,
    }
    yield from (flag for flag, is_set in switches.items() if is_set)
    if deployment.env != "current":
        yield from _flag("--env", deployment.env)
    for check in sorted(deployment.skip):
        yield from _flag("--skip", check)


def _target(state: FormState) -> Iterator[str]:
    """The options of the target that the configuration does not provide."""
    for flag, setting in _settings(state):
        if setting is not None and setting.source in _EXPLICIT_SOURCES:
            yield from _flag(flag, setting.value)
    regions = state.deployment.model.regions
    region = state.target.settings.region
    if regions:
        yield from _flag("--regions", ",".join(regions))
    elif state.requested.get("endpoint") == "global":
        yield from _flag("--region", "global")
    elif region is not None and (region is not state.settings.region or region.source in _EXPLICIT_SOURCES):
        yield from _flag("--region", region.value)


def _settings(state: FormState) -> list[tuple[str, Sourced[str] | None]]:
    settings = state.settings
    return [
        ("--target", settings.target),
        ("--project", settings.project),
        ("--endpoint", settings.endpoint),
        ("--storage-endpoint", settings.storage_endpoint),
    ]


def _body(state: FormState, test: bool) -> dict[str, Any]:
    deployment = state.deployment
    fields = deployment.version.to_json()
    if _PLAIN_NAME.fullmatch(fields.get("name", "")):
        del fields["name"]
    model = {name: value for name, value in deployment.model.to_json().items() if name in _MODEL_FIELDS}
    if model:
        fields["model"] = model
    if test and deployment.test is not None:
        fields["test"] = dict(deployment.test)
    return {name: _escaped(value) for name, value in fields.items()}


def _escaped(value: Any) -> Any:
    """Double the `$` of strings that would otherwise refer to a variable."""
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return f"${value}" if isinstance(value, str) and value.startswith("$") else value


def _flag(flag: str, value: str | None) -> Iterator[str]:
    if value:
        text = str(_escaped(value))
        # A value that starts with a dash would be parsed as an option.
        yield from [f"{flag}={shlex.quote(text)}"] if text.startswith("-") else [flag, shlex.quote(text)]
