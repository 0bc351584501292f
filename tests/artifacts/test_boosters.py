"""What model files of XGBoost say about themselves, in each of their formats."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from aip_magics.artifacts import boosters, model_file
from aip_magics.artifacts.facts import BoosterFacts

X = np.array([[i, i % 3, i % 5] for i in range(40)], dtype=float)
Y = (X[:, 0] > 20).astype(int)


def trained(names: list[str] | None = None, **parameters: Any) -> xgboost.Booster:
    return xgboost.train({"nthread": 1, **parameters}, xgboost.DMatrix(X, Y, feature_names=names), 2)


def binary(
    objective: str, *, mark: bytes = b"binf", version: tuple[int, int] = (1, 6), booster: str = "gbtree"
) -> bytes:
    """The head of a file of the binary format, as XGBoost 1.6.2 writes it."""
    head = struct.pack("<fIiiiII", 0.5, 3, 0, 1, 0, *version).ljust(136, b"\0")
    names = [objective.encode(), booster.encode()]
    return mark + head + b"".join(struct.pack("<Q", len(name)) + name for name in names) + bytes(100)


@pytest.mark.parametrize(("raw_format", "format"), [("ubj", "ubjson"), ("json", "json")])
@pytest.mark.parametrize("booster", ["gbtree", "dart", "gblinear"])
def test_boosters_read_text_formats(raw_format: str, format: Any, booster: str, tmp_path: Path) -> None:
    made = trained(["나이", "b", "c"], objective="binary:logistic", booster=booster)
    made.set_attr(note='"objective": {"name": "a trap"}')
    (tmp_path / "model.bst").write_bytes(bytes(made.save_raw(raw_format)))
    found = model_file.read(tmp_path / "model.bst").booster
    told = json.loads(made.save_raw("json"))["learner"]["learner_model_param"]["base_score"]
    rounds = None if booster == "gblinear" else 2
    facts = BoosterFacts(format, xgboost.__version__, "binary:logistic", 3, ("나이", "b", "c"), told, rounds)
    assert found == facts
    assert found.base_score_is_list == told.startswith("[")


def test_boosters_read_models_without_names_and_with_other_objectives(tmp_path: Path) -> None:
    for objective, more in (
        ("multi:softprob", {"num_class": 2}),
        ("reg:quantileerror", {"quantile_alpha": [0.1, 0.9]}),
    ):
        (tmp_path / "model.bst").write_bytes(bytes(trained(objective=objective, **more).save_raw("ubj")))
        found = model_file.read(tmp_path / "model.bst").booster
        assert found is not None
        assert (found.objective, found.features, found.feature_names) == (objective, 3, ())
        assert found.complete


def test_boosters_read_json_written_again_by_other_tools(tmp_path: Path) -> None:
    model = json.loads(trained(["a", "b", "c"], objective="binary:logistic").save_raw("json"))
    for text in (json.dumps(model, indent=2), json.dumps(model, sort_keys=True)):
        (tmp_path / "model.json").write_text(text)
        found = model_file.read(tmp_path / "model.json").booster
        assert found is not None
        assert (found.version, found.feature_names) == (xgboost.__version__, ("a", "b", "c"))


def test_boosters_read_only_the_ends_of_a_large_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boosters, "END", 2000)
    made = xgboost.train(
        {"nthread": 1, "objective": "binary:logistic"}, xgboost.DMatrix(X, Y, feature_names=["a", "b", "c"]), 60
    )
    for raw_format in ("ubj", "json"):
        path = tmp_path / "model.bst"
        path.write_bytes(bytes(made.save_raw(raw_format)))
        assert path.stat().st_size > 10_000
        found = model_file.read(path).booster
        assert found is not None
        assert (found.objective, found.version, found.features) == ("binary:logistic", xgboost.__version__, 3)
        assert found.feature_names == ("a", "b", "c")


def test_boosters_read_the_binary_format(tmp_path: Path) -> None:
    path = tmp_path / "model.bst"
    path.write_bytes(binary("binary:logistic"))
    assert model_file.read(path).booster == BoosterFacts("binary", "1.6", "binary:logistic", 3, base_score="0.5")
    path.write_bytes(binary("reg:linear", mark=b"", version=(0, 0), booster="gblinear"))  # before XGBoost 1.0
    assert model_file.read(path).booster == BoosterFacts("binary", None, "reg:linear", 3, base_score="0.5")
    assert model_file.read(path).libraries == {}
    path.write_bytes(binary("reg:linear", mark=b"", booster="other"))
    assert model_file.read(path).format == "unknown"


@pytest.mark.parametrize("raw_format", ["ubj", "json"])
def test_boosters_tell_a_truncated_file(raw_format: str, tmp_path: Path) -> None:
    whole = bytes(trained(objective="binary:logistic").save_raw(raw_format))
    path = tmp_path / "model.bst"
    for size in range(30, len(whole) - 200, 97):
        path.write_bytes(whole[:size])
        found = model_file.read(path)
        assert not found.complete, size
        assert "truncated" in found.unread
    path.write_bytes(binary("binary:logistic")[:150])
    assert not model_file.read(path).complete


@pytest.mark.parametrize(
    "data",
    [
        b'{"learner": ' + b'{"objective":' * 200_000,
        b'{"learner": ' + b'"objective": ' + b"[" * 500_000,
        b"{L" + b"L\0\0\0\0\0\0\0\x09objective[" + b"[" * 1000,
        b"{L" + b"L\0\0\0\0\0\0\0\x09objective[#L\x7f\xff\xff\xff\xff\xff\xff\xff" + b"Z" * 1000,
        b"{L" + b"L\0\0\0\0\0\0\0\x09objective[$d#L\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"{L" + b"L\0\0\0\0\0\0\0\x09objective[$Z#L\0\0\0\0\x7f\xff\xff\xff",
        b'{"learner":{"learner_model_param":{"num_feature":"' + b"9" * 100_000 + b'"},"objective":{"name":"x"}}}',
    ],
    ids=["keys", "json nests", "ubjson nests", "count", "typed count", "typed nothing", "digits"],
)
def test_boosters_answer_hostile_files(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.bst").write_bytes(data)
    found = model_file.read(tmp_path / "model.bst").booster
    assert found is not None
    assert found.features is None


WHOLE = {name: bytes(trained(["a", "b", "c"]).save_raw(name)) for name in ("ubj", "json")}


@settings(max_examples=up_to(60), deadline=None)
@given(st.sampled_from(sorted(WHOLE)), st.integers(0, 5000), st.binary(min_size=1, max_size=8))
def test_boosters_answer_every_mutated_file(tmp_path_factory: Any, raw_format: str, at: int, change: bytes) -> None:
    whole = WHOLE[raw_format]
    at %= len(whole)
    path = tmp_path_factory.getbasetemp() / f"mutated-{raw_format}.bst"
    path.write_bytes(whole[:at] + change + whole[at + len(change) :])
    found = model_file.read(path)
    assert found.complete or found.unread or found.format == "unknown"
