"""Every operation of every release that was looked into is judged, once."""

from __future__ import annotations

import json
from collections import Counter
from importlib import resources

from aip_magics import catalog, toml_reader
from aip_magics.checks.rules import saved_model_trust
from aip_magics.prediction.worker.graph_walk import FILE_INPUT, Judged

DATA = json.loads(catalog.graph_ops_path().read_text("utf-8"))


def test_every_operation_is_judged_once() -> None:
    table = toml_reader.loads(
        resources.files("aip_magics.artifacts.saved_models").joinpath("ops.toml").read_text("utf-8")
    )
    known = {op for names in table["first"].values() for op in names.split()}
    groups = [op for one in DATA["groups"].values() for op in " ".join(one["ops"]).split()]
    judged = Counter(" ".join(DATA["harmless"]).split() + groups)
    assert set(judged) == known
    assert {op for op, count in judged.items() if count > 1} == set()


def test_groups_say_what_they_do_and_people_read_it() -> None:
    for name, one in DATA["groups"].items():
        assert one["why"]
        assert one["does"] == saved_model_trust._describe_group(name)
    assert saved_model_trust._describe_group("unknown") not in {one["does"] for one in DATA["groups"].values()}


def test_what_decides_about_an_operation_is_about_one_that_is_not_harmless() -> None:
    judged = Judged(str(catalog.graph_ops_path()))
    assert set(DATA["unless"]) | set(FILE_INPUT) <= set(judged.group)
    assert "ReadFile" in judged.folds  # stateless: what TensorFlow imports, it may evaluate
    assert "RestoreV2" not in judged.folds
