"""The resources against Google's own description of the API, and through JSON and back."""

from __future__ import annotations

import dataclasses
import importlib.resources
import json
import typing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aip_magics import spec
from aip_magics.errors import FieldError
from aip_magics.spec import Int64, Model, Operation, Resource, Version

DISCOVERY = json.loads(
    importlib.resources.files("googleapiclient").joinpath("discovery_cache/documents/ml.v1.json").read_text()
)["schemas"]
CLASSES = {
    name: found
    for name, found in vars(spec).items()
    if isinstance(found, type) and issubclass(found, Resource) and found is not Resource
}


def schema(name: str) -> dict[str, Any]:
    """The fields of the resource of this name. Most are of AI Platform, Operation and Status of all Google APIs."""
    prefixes = ("GoogleCloudMlV1__", "GoogleLongrunning__", "GoogleRpc__")
    return next(DISCOVERY[prefix + name] for prefix in prefixes if prefix + name in DISCOVERY)["properties"]


def values(hint: Any) -> st.SearchStrategy[Any]:
    """All values that a field of this type may have."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return st.sampled_from(inner)
    if origin is tuple:
        return st.lists(values(inner[0]), max_size=2).map(tuple)
    if origin is not None:
        return st.dictionaries(st.text(), st.text(), max_size=2)
    if issubclass(hint, Resource):
        return resources(hint)
    numbers = st.integers(-(2**63), 2**63 - 1)
    simple = {bool: st.booleans(), int: st.integers(), Int64: numbers.map(Int64), str: st.text()}
    return simple.get(hint, st.floats(allow_nan=False, allow_infinity=False))


def resources(kind: type[Resource]) -> st.SearchStrategy[Resource]:
    fields = {name: st.none() | values(hint) for name, hint in spec.field_types(kind).items()}
    return st.builds(kind, **fields)


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_spec_fields_are_those_of_the_api(kind):
    assert set(spec.field_types(kind)) == set(schema(kind.__name__))


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_spec_types_and_values_are_those_of_the_api(kind):
    wanted = {"string": str, "boolean": bool, "integer": int, "number": float}
    for name, field in schema(kind.__name__).items():
        hint = spec.field_types(kind)[name]
        if (kind, name) == (spec.AcceleratorConfig, "type"):
            assert hint is str  # which there are, and where, is the catalogue's to know
        elif "enum" in field:
            vertex = {"UNDEPLOYED"} if (kind, name) == (spec.Version, "state") else set()
            assert set(typing.get_args(hint)) == {*field["enum"], *vertex}
        elif field.get("format") == "int64":
            assert hint is Int64
        elif field.get("type") in wanted:
            assert hint is wanted[field["type"]]
        elif field.get("type") == "array":
            assert typing.get_origin(hint) is tuple


@pytest.mark.parametrize("kind", [Version, Model])
def test_spec_output_only_fields_are_those_of_the_api(kind):
    named = {name for name, field in schema(kind.__name__).items() if "Output only" in field.get("description", "")}
    assert named == kind.OUTPUT_ONLY


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_spec_to_json_and_back(kind):
    @given(resources(kind))
    def comes_back(resource: Resource) -> None:
        wire = json.loads(json.dumps(resource.to_json()))
        assert None not in wire.values()
        assert kind.from_json(wire) == resource
        assert kind.from_json(wire, strict=False) == resource

    comes_back()


def test_spec_int64_is_a_string_in_json():
    accelerator = spec.AcceleratorConfig.from_json({"count": "2", "type": "NVIDIA_TESLA_T4"})
    assert accelerator.count == 2
    assert accelerator.to_json()["count"] == "2"
    assert spec.AcceleratorConfig.from_json({"count": 2}).to_json() == {"count": "2"}


def test_spec_does_not_write_what_is_not_set():
    assert Version(name="v1", isDefault=False, labels={}).to_json() == {"name": "v1", "isDefault": False, "labels": {}}
    assert Version.from_json({"name": None}) == Version()


@pytest.mark.parametrize("written", ["SCIKIT_LEARN", "scikit-learn", "scikit_learn", "Scikit-Learn"])
def test_spec_enums_may_be_spelled_as_in_gcloud(written):
    assert Version.from_json({"framework": written}).framework == "SCIKIT_LEARN"


class Written(float):
    """A number that knows how it was written, as the cell's YAML reader makes them."""

    written = "2.10"


def test_spec_takes_a_number_of_a_cell_as_the_text_it_means():
    assert Version.from_json({"runtimeVersion": Written(2.1)}).runtimeVersion == "2.10"


@pytest.mark.parametrize(
    ("data", "where", "message", "fix"),
    [
        ([], "version", "expected a mapping with the fields of Version, got a list", ""),
        (None, "version", "expected a mapping with the fields of Version, got null", ""),
        ("v1", "version", "got the string 'v1'", ""),
        ({"frmwork": "XGBOOST"}, "version", "unknown field 'frmwork' in Version", "did you mean 'framework'?"),
        (
            {"runtime-version": "2.11"},
            "version",
            "unknown field 'runtime-version' in Version",
            "did you mean 'runtimeVersion'?",
        ),
        ({"zzz": 1}, "version", "unknown field 'zzz' in Version", "one of name, description"),
        ({"OUTPUT_ONLY": []}, "version", "unknown field 'OUTPUT_ONLY' in Version", ""),
        ({1: 2}, "version", "unknown field 1 in Version", ""),
        ({"framework": "XGBOST"}, "version.framework", "invalid value 'XGBOST'", "did you mean 'XGBOOST'?"),
        ({"framework": 7}, "version.framework", "invalid value 7", "one of TENSORFLOW, SCIKIT_LEARN, XGBOOST"),
        ({"runtimeVersion": 2.11}, "version.runtimeVersion", "expected a string, got the number 2.11", '"2.11"'),
        ({"isDefault": "yes"}, "version.isDefault", "expected true or false, got the string 'yes'", ""),
        ({"isDefault": 1}, "version.isDefault", "expected true or false, got the number 1", ""),
        ({"name": True}, "version.name", "expected a string, got true", ""),
        ({"packageUris": "gs://b/x"}, "version.packageUris", "expected a list", "put the value in [ ]"),
        ({"packageUris": ["a", 5]}, "version.packageUris[1]", "expected a string, got the number 5", '"5"'),
        ({"labels": ["a"]}, "version.labels", "expected a mapping (key: value), got a list", ""),
        ({"labels": {"n": 1}}, "version.labels.n", "expected a string, got the number 1", 'write "1"'),
        ({"autoScaling": {"minNodes": "x"}}, "version.autoScaling.minNodes", "expected a whole number", ""),
        ({"autoScaling": {"minNodes": "--5"}}, "version.autoScaling.minNodes", "expected a whole number", ""),
        (
            {"autoScaling": {"minNodes": 1.5}},
            "version.autoScaling.minNodes",
            "expected a whole number, got the number 1.5",
            "",
        ),
        ({"autoScaling": {"minNodes": True}}, "version.autoScaling.minNodes", "expected a whole number", ""),
        ({"autoScaling": {"min": 1}}, "version.autoScaling", "unknown field 'min' in AutoScaling", "minNodes"),
        (
            {"autoScaling": {"metrics": [{"name": "X"}]}},
            "version.autoScaling.metrics[0].name",
            "invalid value 'X'",
            "one of",
        ),
        (
            {"requestLoggingConfig": {"samplingPercentage": "1"}},
            "version.requestLoggingConfig.samplingPercentage",
            "expected a number, got the string '1'",
            "",
        ),
    ],
)
def test_spec_names_bad_values_with_their_place(data, where, message, fix):
    with pytest.raises(FieldError) as caught:
        Version.from_json(data)
    assert caught.value.where == where
    assert message in caught.value.message
    assert fix in caught.value.fix


def test_spec_takes_a_response_with_unknown_fields():
    reply = {"name": "v1", "newField": 1, "framework": "JAX", "autoScaling": {"new": 1}}
    version = Version.from_json(reply, strict=False)
    assert version == Version(name="v1", framework="JAX", autoScaling=spec.AutoScaling())


def test_spec_takes_a_place_for_its_errors():
    with pytest.raises(FieldError) as caught:
        Model.from_json({"regions": [1]}, "cell.model")
    assert caught.value.where == "cell.model.regions[0]"


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
@pytest.mark.slow
def test_spec_refuses_anything_else_with_a_field_error(data):
    for kind, name in ((Version, "autoScaling"), (Model, "regions"), (Operation, "metadata"), (Version, "labels")):
        assert outcome(kind, {name: data}).startswith(f"{kind.__name__.lower()}.{name}")


def outcome(kind: type[Resource], data: Any) -> str:
    """The place that the error names; where there is none, the name of what was read."""
    try:
        read = kind.from_json(data)
    except FieldError as error:
        return error.where
    return f"{kind.__name__.lower()}.{next(iter(data))} {json.dumps(read.to_json())}"


def test_spec_ids_and_copies():
    version = Version(name="projects/p/models/m/versions/v1")
    assert (version.id, Version().id, Version(name="v1").id) == ("v1", "", "v1")
    assert version.replace(state="READY") == Version(name=version.name, state="READY")
    assert version.state is None
    with pytest.raises(dataclasses.FrozenInstanceError):
        version.state = "READY"


def test_spec_nearest():
    assert spec.nearest("Runtime_Version", ["runtimeVersion", "pythonVersion"]) == "did you mean 'runtimeVersion'?"
    assert spec.nearest("qqq", ["runtimeVersion"]) == ""
