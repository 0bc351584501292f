"""Follow the fix of a finding as a user would who copies it: into the cell, into the line, or into a terminal."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import joblib
from sklearn.linear_model import LogisticRegression

from aip_magics import artifacts
from aip_magics.checks import CheckContext, Finding
from aip_magics.commands.common.cell_body import read_yaml
from aip_magics.spec import Model, Version

FIELD_LINE = re.compile(r"(?:use )?(\w+): (\[.*\]|'[^']*'|[\w./-]+)(?:, (\w+): ('[^']*'|[\w.-]+))?(?: \(.*\))?")
OMIT = re.compile(r"omit (--)?(\w+)(?: and use ([\w-]+)|[:,;] .*)?")
VALUE = re.compile(r"(?:use |did you mean )(?:one of )?'?([\w:/.-]+)'?(?:\?|,.*)?")
OPTION = re.compile(r"(?:.*: |add |use )?--(origin|framework|region) (\S+?)(?:[,;]? .*)?")
COMMAND = re.compile(r"(?:mv|rm) \S.*")
PYTHON = re.compile(r"joblib\.dump\(.*\)")


def follow(context: CheckContext, finding: Finding) -> CheckContext | None:
    """What the rules see after the fix; None if its text is no line to copy."""
    fix = finding.fix
    if COMMAND.fullmatch(fix) or PYTHON.fullmatch(fix):
        assert context.model_dir is not None
        if PYTHON.fullmatch(fix):
            exec(fix, {"joblib": joblib, "model": LogisticRegression().fit([[0], [1]], [0, 1])})
        else:
            subprocess.run(shlex.split(fix), check=True, cwd="/")  # the user may be in any directory
        return dataclasses.replace(context, model_dir=artifacts.inspect_model_dir(context.model_dir.path))
    if match := OPTION.fullmatch(fix):
        return _with_option(context, *match.groups())
    if match := OMIT.fullmatch(fix):
        if match[1]:
            context = _with_option(context, match[2], None)
        else:
            context = _with(context, _path(finding.subject, match[2]), None)
        return _with(context, ["version", "machineType"], match[3]) if match[3] else context
    if match := FIELD_LINE.fullmatch(fix):
        for name, value in ((match[1], match[2]), (match[3], match[4])):
            if name:
                context = _with(context, _path(finding.subject, name), read_yaml(f"x: {value}")["x"])
        return context
    if match := VALUE.fullmatch(fix):
        if finding.subject == "region":
            return _with_option(context, "region", match[1])
        return _with(context, finding.subject.split("."), match[1])
    return None


def _path(subject: str, name: str) -> list[str]:
    """The field that a line `name: …` means: the subject itself, a neighbour of it, or a field inside of it."""
    parts = subject.split(".")
    if parts[-1] == name:
        return parts
    return [parts[0], name] if len(parts) < 3 else [*parts[:-1], name]


def _with_option(context: CheckContext, option: str, value: str | None) -> CheckContext:
    if option == "region":
        return dataclasses.replace(context, target=dataclasses.replace(context.target, region=value))
    assert value is not None
    if option == "origin":
        return dataclasses.replace(context, model_dir=artifacts.inspect_model_dir(Path(value)))
    return _with(context, ["version", "framework"], value.upper().replace("-", "_"))


def _with(context: CheckContext, path: list[str], value: Any) -> CheckContext:
    """The context with this field set, or without it for None."""
    kind, *names = path
    if kind == "test":
        request = {**context.test_keys}
        _set(request, names, value)
        return dataclasses.replace(context, test_request=json.dumps(request).encode())
    resource: Model | Version = context.model if kind == "model" else context.version
    fields = json.loads(json.dumps(resource.to_json()))
    _set(fields, names, value)
    if kind == "model":
        return dataclasses.replace(context, model=Model.from_json(fields, strict=False))
    return dataclasses.replace(context, version=Version.from_json(fields, strict=False))


def _set(fields: Any, names: list[str], value: Any) -> None:
    steps: list[Any] = [int(step) if step.isdigit() else step for name in names for step in re.findall(r"\w+", name)]
    *parents, last = steps
    for step in parents:
        fields = fields[step] if isinstance(fields, list) else fields.setdefault(step, {})
    if parents == ["labels"]:  # a finding about a label's key
        fields[value] = fields.pop(last)
    elif value is None:
        fields.pop(last, None)
    else:
        fields[last] = [value] if isinstance(fields.get(last), list) and isinstance(value, str) else value
