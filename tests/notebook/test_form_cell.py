"""The cell of the preview is the form: parsed by the real parser it asks for the same deployment at the same target."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from examples import up_to
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager

from aip_magics import catalog, settings, target_types
from aip_magics.commands import deploy
from aip_magics.commands.common.command import Context
from aip_magics.commands.common.magic_line import split_line
from aip_magics.commands.form import FormRequest
from aip_magics.commands.registry import get_command
from aip_magics.deploy import Deployment
from aip_magics.notebook.form.cell_text import build_cell
from aip_magics.notebook.form.fields import fields
from aip_magics.notebook.form.preview import kinds, preview
from aip_magics.notebook.form.state import FormState
from aip_magics.notebook.magics import magic_parser
from aip_magics.spec import AcceleratorConfig, AutoScaling, Int64, MetricSpec, Model, Version

ENVIRONMENT = settings.Environment({"HOME": os.devnull, "AIP_MAGICS_HOME": os.devnull}, {})


class NoFace:
    def emit(self, event: object) -> None: ...
    def show(self, value: object) -> None: ...


def state(session: dict[str, str], deployment: Deployment, **arguments: Any) -> FormState:
    found = settings.resolve(session=session, environment=ENVIRONMENT, **arguments)
    regional = False if arguments.get("region") == "global" else None
    last_run = arguments.pop("last_run", {})
    none = dict.fromkeys(("target", "project", "region", "regions", "endpoint", "storage_endpoint"))
    context = Context(NoFace(), {}, session, ENVIRONMENT, last_run)
    request = FormRequest(deployment, found, argparse.Namespace(**{**none, **arguments}), context)
    return FormState.of(deployment, found, "argument", regional=regional, resolve=request.resolve)


def parsed(text: str, session: dict[str, str]) -> tuple[Deployment, settings.Settings]:
    """The cell as IPython and the magic read it."""
    call = ast.parse(TransformerManager().transform_cell(text)).body[0].value  # type: ignore[attr-defined]
    name, line, *body = [ast.literal_eval(argument) for argument in call.args]
    assert name == "aip_deploy"
    args: argparse.Namespace = magic_parser(get_command("deploy")).parse(split_line(line, {}))
    context = Context(NoFace(), {}, session, ENVIRONMENT)
    return deploy.build_deployment(args, "".join(body), context), context.settings(args)


TEXT = st.text(max_size=12)
ODD = ["iris", "v1", "$name", "$$", "--flag", "-x", "yes", "null", "2.10", "1e3", "=", "<<", "a;", "a?", "~", "'", '"']
NAMES = st.one_of(TEXT, st.sampled_from(ODD))
PAIRS = st.dictionaries(NAMES, NAMES, max_size=3).map(lambda d: ",".join(f"{k}={v}" for k, v in d.items()))
VALUES = {
    "target": st.sampled_from(target_types.OWN_NAMES),
    "project": st.sampled_from(["", "my-project", "9 lives"]),
    "model": NAMES,
    "endpoint": st.sampled_from(["global", "regional", "embedded"]),
    "region": st.sampled_from([*catalog.regional_regions()]),
    "logging": st.booleans(),
    "consoleLogging": st.booleans(),
    "modelDescription": NAMES,
    "modelLabels": PAIRS,
    "version": NAMES,
    "replace": st.booleans(),
    "description": NAMES,
    "trust": st.booleans(),
    "framework": st.sampled_from(["", "SCIKIT_LEARN", "TENSORFLOW", "XGBOOST"]),
    "runtimeVersion": st.sampled_from([row.version for row in catalog.runtimes()]),
    "pythonVersion": st.sampled_from(["", "3.7", "2.7"]),
    "machineType": NAMES,
    "packageUris": st.lists(NAMES, max_size=3).map(",".join),
    "predictionClass": NAMES,
    "serviceAccount": NAMES,
    "labels": PAIRS,
    "logTable": NAMES,
    "logShare": st.sampled_from(["", "0.1", "1", "1e-3", "ten", "nan"]),
    "scaling": st.sampled_from(["automatic", "manual"]),
    "minNodes": st.sampled_from(["", "0", "3", "x"]),
    "maxNodes": st.sampled_from(["", "5"]),
    "nodes": st.sampled_from(["", "2"]),
    "test": st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), NAMES),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=2)),
        max_leaves=5,
    ).map(lambda value: json.dumps([value], ensure_ascii=False)),
}  # fmt: skip


@hypothesis_settings(max_examples=up_to(150), deadline=None)
@given(
    changes=st.lists(
        st.sampled_from(sorted(VALUES)).flatmap(lambda id: st.tuples(st.just(id), VALUES[id])), max_size=8
    ),
    session=st.sampled_from([{}, {"region": "us-central1"}, {"target": "aiplatform", "project": "my-project"}]),
    arguments=st.sampled_from(
        [
            {},
            {"project": "other-project"},
            {"region": "asia-east1"},
            {"region": "global"},
            {"endpoint": "http://h:1", "project": "some-project"},
            {"last_run": {"region": "europe-west4", "target": "aiplatform", "project": "last-project"}},
        ]
    ),
)
@pytest.mark.slow
def test_form_cell_parses_back(changes: list[tuple[str, Any]], session: dict[str, str], arguments: Any) -> None:
    form = state(session, Deployment("gs://bucket/model"), **arguments)
    for id, value in changes:
        form = form.set(id, value)
    deployment, found = parsed(build_cell(form), session)
    assert deployment == form.deployment
    want = form.target.settings
    for name in ("target", "project", "region", "endpoint", "storage_endpoint"):
        ours, theirs = getattr(want, name), getattr(found, name)
        assert (ours and ours.value) == (theirs and theirs.value), name


def test_form_cell_has_had_every_field() -> None:
    assert {field.id for field in fields()} - VALUES.keys() == {"origin", "frameworkVersion"}


def test_form_cell_has_what_has_no_field_too() -> None:
    version = Version(
        acceleratorConfig=AcceleratorConfig(Int64(2), "NVIDIA_TESLA_T4"),
        autoScaling=AutoScaling(1, 2, (MetricSpec("CPU_USAGE", 60),)),
    )
    made = Deployment("gs://b/m", version=version, staging_bucket="gs://x", skip=frozenset({"S14", "M02"}))
    made = dataclasses.replace(made, include=("GCP.key", "conf/a b.pem"), force_trial=True)
    form = state({}, made)
    assert parsed(build_cell(form), {})[0] == form.deployment == made


@pytest.mark.parametrize("origin", ["with space/iris", "it's", "~/iris", "꽃/모델", "a b;c?"])
def test_form_cell_of_any_directory(origin: str) -> None:
    form = state({}, Deployment(origin))
    assert parsed(build_cell(form), {})[0].origin == origin


def test_form_cell_without_its_instances() -> None:
    form = state({}, Deployment("gs://b/m", test={"instances": ["secret"]}))
    assert "secret" in build_cell(form)
    assert build_cell(form, test=False) == "%aip_deploy --origin gs://b/m"


@pytest.mark.parametrize("kind", [kind for _, kind in kinds()])
def test_form_cell_preview_tells_the_names(kind: Any, iris_export: Path) -> None:
    form = state({}, Deployment(str(iris_export), Model("flowers"), Version(name="v7")))
    form = form.set("modelDescription", "all my irises").set("modelLabels", "team=a").set("consoleLogging", True)
    shown = preview(kind, form.set("logTable", "p.d.t").set("logShare", "0.1"))
    for name in ("flowers", "v7", "all my irises", "team", "p.d.t", "0.1"):
        assert name in shown
    assert re.search("enable-console-logging|onlinePredictionConsoleLogging", shown)
    assert preview(kind, state({}, Deployment(""))).startswith("#")
    unreadable = state({}, Deployment(str(iris_export), version=Version(packageUris=("nowhere.tar.gz",))))
    assert "nowhere.tar.gz" in preview(kind, unreadable) or preview(kind, unreadable).startswith("#")
