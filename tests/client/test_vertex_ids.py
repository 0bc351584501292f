import pytest

from aip_magics.client.vertex.ids import is_alias, is_model_id, sanitize_model_id, version_alias


@pytest.mark.parametrize(
    ("name", "alias"),
    [
        ("v1", "v1"),
        ("v1_2", "v1-2"),
        ("V1_", "v1"),
        ("candidate-3", "candidate-3"),
        ("a" * 128, "a" * 128),
        ("a" * 129, None),
        ("v", None),
        ("1", None),
        ("_", None),
        ("", None),
        ("é1", None),
    ],
)
def test_version_alias_of_a_name(name, alias):
    assert version_alias(name) == alias
    assert alias is None or is_alias(alias)


@pytest.mark.parametrize("text", ["iris", "_iris", "iris-2", "i", "a" * 63])
def test_is_model_id_of_a_valid_id(text):
    assert is_model_id(text)
    assert sanitize_model_id(text.strip("_-")) == text.strip("_-")


@pytest.mark.parametrize(
    ("text", "valid"),
    [("Iris 2", "iris_2"), ("2024", "model_2024"), ("-x", "x"), ("모델", "model"), ("a" * 99, "a" * 63), ("né", "ne")],
)
def test_sanitize_model_id(text, valid):
    assert not is_model_id(text)
    assert sanitize_model_id(text) == valid
    assert is_model_id(valid)
