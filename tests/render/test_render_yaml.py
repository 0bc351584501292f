"""`describe` against what gcloud 528 printed for the same replies of the API (gcloud_describe.txt)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml as pyyaml
from hypothesis import given
from hypothesis import strategies as st

from aip_magics import spec
from aip_magics.render import text, yaml

HERE = Path(__file__).parent
REPLIES = json.loads((HERE / "gcloud_describe.json").read_text(encoding="utf-8"))
PRINTED = dict(
    part.split("\n", 1) for part in (HERE / "gcloud_describe.txt").read_text(encoding="utf-8").split("## ")[1:]
)

SCALARS = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=120)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
)


def read(name: str) -> spec.Resource:
    kind = spec.Version if "/versions/" in name else spec.Operation if "/operations/" in name else spec.Model
    return kind.from_json(REPLIES[name], strict=False)


@pytest.mark.parametrize("name", REPLIES)
def test_yaml_of_describe_is_what_gcloud_prints_line_for_line(name):
    assert text.describe(read(name)).splitlines() == PRINTED[name].splitlines()


def test_yaml_of_an_etag_is_in_gclouds_alphabet_but_not_in_metadata():
    version = spec.Version(name="v", etag="a+b/")
    assert text.describe(version).splitlines()[0] == "etag: a-b_"
    assert "  etag: a-b_" in text.describe(spec.Model(defaultVersion=version))
    operation = spec.Operation(metadata=spec.OperationMetadata(version=version))
    assert "    etag: a+b/" in text.describe(operation)


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("3.7", "x: '3.7'"),
        ("yes", "x: yes"),
        ("true", "x: 'true'"),
        ("null", "x: 'null'"),
        ("2024-01-01", "x: '2024-01-01'"),
        ("1:30", "x: 1:30"),
        ("it's", "x: it's"),
        ("it's: so", 'x: "it\'s: so"'),
        ("붓꽃 😀", "x: 붓꽃 😀"),
        ("bell \x07", 'x: "bell \\a"'),
        ("gs://" + "long/" * 20, f"x: gs://{'long/' * 20}"),
        ("long/" * 17 + " next", f"x: {'long/' * 17}\n  next"),
        ("two\nlines", "x: |-\n  two\n  lines"),
        ("bell\x07\nline", 'x: "bell\\a\\nline"'),
        (0.1 + 0.2, "x: 0.3"),
        (100000.0, "x: 100000.0"),
        (1e20, "x: 1e+20"),
        (spec.Int64(123), "x: '123'"),
        ((), "x: []"),
    ],
)
def test_yaml_of_scalars(value, line):
    assert yaml.dump({"x": value}) == line + "\n"


@given(st.dictionaries(st.text(max_size=9), TREES, max_size=4))
@pytest.mark.slow
def test_yaml_is_read_back_as_it_was_written(tree):
    # A YAML 1.2 writer, a 1.1 reader: `yes` would come back as true, so scalars are read as they are written.
    read_back = pyyaml.load(yaml.dump(tree), Loader=Loader12)
    assert read_back == normal(tree)


class Loader12(pyyaml.SafeLoader):
    """Reads what YAML 1.2 reads: the resolvers are those of the writer."""

    yaml_implicit_resolvers = yaml._Dumper.yaml_implicit_resolvers


def normal(tree):
    if isinstance(tree, dict):
        return {normal(key): normal(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [normal(value) for value in tree]
    return tree.replace("\r\n", "\n") if isinstance(tree, str) and "\r\n" in tree else tree


def test_yaml_writes_the_same_object_twice():
    labels = {"a": "b"}
    assert "&" not in yaml.dump({"x": labels, "y": labels})
