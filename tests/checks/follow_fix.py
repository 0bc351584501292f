"""Follow the fix of a finding as a user would who copies it: into the cell, into the line, or into a terminal."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy
import sklearn.pipeline
import xgboost
from sklearn.linear_model import LogisticRegression

from aip_magics import artifacts
from aip_magics.checks import CheckContext, Finding
from aip_magics.commands.common.cell_body import read_yaml
from aip_magics.spec import Model, Version

FIELD_LINE = re.compile(r"(?:use )?(\w+): (\[.*\]|'[^']*'|[\w./:-]+)(?:, (\w+): ('[^']*'|[\w.-]+))?(?: \(.*\))?")
OMIT = re.compile(r"omit (--)?(\w+)(?: and use ([\w-]+)|[:,;] .*)?")
VALUE = re.compile(r"(?:use |did you mean )(?:one of )?'?([\w:/.-]+)'?(?:\?|,.*)?")
OPTION = re.compile(r"(?:.*: |add |use )?--(env|origin|framework|region) ([^\s;]+?)(?:[,;]? .*)?")
COMMAND = re.compile(r"(?:unpack it: )?((?:mv|rm|tar) \S.*)")
PYTHON = re.compile(r"(?:[^:;]*(?:;[^:;]*)?: )?((?:joblib|pathlib|model|pipeline|import)\b.*)")
REMOVE = re.compile(r"remove (\S+)")
IGNORE = re.compile(r"add to (\S+): (\S+?)(?:; .*)?")


def follow(context: CheckContext, finding: Finding) -> CheckContext | None:
    """What the rules see after the fix; None if its text is no line to copy."""
    fix = finding.fix
    if change := _change_of_files(context, fix):
        change()
        assert context.model_dir is not None
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
        if finding.message.startswith("label value"):
            *labels, key = finding.subject.split(".")
            resource = context.model if labels[0] == "model" else context.version
            return _with(context, labels, {**(resource.labels or {}), key: match[1]})
        return _with(context, finding.subject.split("."), match[1])
    return None


def _change_of_files(context: CheckContext, fix: str) -> Callable[[], object] | None:
    """What a line for a terminal, a notebook or an editor does with the files of the model."""
    if match := COMMAND.fullmatch(fix):
        command = match[1].replace("python ", f"{sys.executable} ")
        return lambda: subprocess.run(command, shell=True, check=True, cwd="/")  # the user may be in any directory
    if context.model_dir is None:
        return None
    if match := IGNORE.fullmatch(fix):
        return lambda: Path(match[1]).write_text(f"{match[2]}\n", encoding="utf-8")
    if match := REMOVE.fullmatch(fix):
        return (context.model_dir.path / match[1]).unlink
    if match := PYTHON.fullmatch(fix):
        return lambda: exec(match[1], _notebook(context))
    return None


def _notebook(context: CheckContext) -> dict[str, Any]:
    """What the user's notebook has: the modules, the training data, and the model of the file or a good one."""
    names: dict[str, Any] = {"X": numpy.eye(2).repeat(5, axis=0), "y": numpy.arange(2).repeat(5)}
    names["model"] = LogisticRegression().fit(names["X"], names["y"])
    names["clf"] = xgboost.XGBClassifier(n_estimators=2).fit(names["X"], names["y"])
    names["predictor"] = LogisticRegression()
    assert context.model_dir is not None
    with contextlib.suppress(Exception):  # no pickle
        found = joblib.load(context.model_dir.model_file.path)
        names |= {"model": found} if hasattr(found, "fit") else {}
    return names | {module.__name__: module for module in (joblib, os, pathlib, pickle, sklearn, xgboost)}


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
    if option == "env":
        return dataclasses.replace(context, env=value)
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
