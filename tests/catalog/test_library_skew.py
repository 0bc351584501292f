"""Known breaks between releases, against what was measured with real models."""

from __future__ import annotations

import pytest

from aip_magics import catalog

TREE, FOREST = "sklearn.tree._tree.Tree", "sklearn.ensemble._forest.RandomForestClassifier"


@pytest.mark.parametrize(
    ("saved", "has", "name", "step"),
    [
        ("1.2.2", "1.9.1", TREE, "load"),
        ("1.2.2", "1.2.1", TREE, None),
        ("1.3.2", "1.9.1", TREE, None),
        ("1.3.2", "1.8.0", FOREST, "predict"),  # no attribute monotonic_cst
        ("1.3.2", "1.9.1", FOREST, None),
        ("1.8.0", "1.9.1", "_loss.CyHalfBinomialLoss", "load"),  # No module named '_loss'
        ("1.8.0", "1.8.2", "_loss.CyHalfBinomialLoss", None),
        ("1.4.2", "1.9.1", "sklearn._loss._loss.__pyx_unpickle_CyHalfBinomialLoss", "load"),
        ("1.4.2", "1.9.1", "sklearn._loss._loss.__pyx_unpickle_CyHalfMultinomialLoss", None),
        ("1.7.2", "1.9.1", "sklearn.impute._base.SimpleImputer", "predict"),
        ("1.7.2", "1.9.1", "sklearn.preprocessing._function_transformer.FunctionTransformer", None),
    ],
)
def test_find_library_break(saved: str, has: str, name: str, step: str | None) -> None:
    found = catalog.find_library_break("scikit-learn", saved, has, ["numpy.ndarray", name])
    assert (found.name, found.step) == (name, step) if found else step is None


def test_find_library_break_prefers_what_does_not_load() -> None:
    names = ["sklearn.impute._base.SimpleImputer", TREE]
    found = catalog.find_library_break("scikit-learn", "1.2.2", "1.9.1", names)
    assert found is not None
    assert found.name == TREE
    assert catalog.find_library_break("xgboost", "1.2.2", "1.9.1", names) is None


def test_xgboost_reads_formats() -> None:
    assert [version for version in ("0.90", "3.0.5", "3.1.0", "3.2.0") if catalog.xgboost_reads("binary", version)] == [
        "0.90",
        "3.0.5",
    ]
    assert not catalog.xgboost_reads("ubjson", "1.5.2")
    assert catalog.xgboost_reads("json", "1.5.2")


@pytest.mark.parametrize(
    ("libraries", "modules", "pins", "python"),
    [
        (
            {"scikit-learn": "1.2.2"},
            {"sklearn.tree._tree", "numpy.core.multiarray"},
            "joblib<1.4 numpy<1.27 numpy<2 scikit-learn==1.2.2 scipy<1.11 setuptools wheel",
            "3.11",
        ),
        (
            {"scikit-learn": "1.5.2"},
            {"sklearn.tree._tree", "numpy._core.multiarray", "pandas"},
            "joblib numpy<2.4 numpy>=2 pandas<3 scikit-learn==1.5.2 scipy<1.17 setuptools wheel",
            "3.12",
        ),
        (
            {"xgboost": "1.6"},
            (),
            "joblib numpy<1.24 scikit-learn<1.2 scipy<1.10 setuptools<60 wheel xgboost==1.6.*",
            "3.9",
        ),
        (
            {"tensorflow": "2.11.0-rc1"},
            (),
            "joblib numpy<1.24 protobuf<3.21 setuptools tensorflow==2.11.* wheel",
            "3.10",
        ),
    ],
)
def test_find_model_environment(libraries: dict[str, str], modules: set[str], pins: str, python: str) -> None:
    found = catalog.find_model_environment(libraries, modules)
    assert found is not None
    assert " ".join(found.pins) == pins
    assert found.pythons[0] == python


def test_find_model_environment_that_no_python_has() -> None:
    assert catalog.find_model_environment({"scikit-learn": "0.22.2", "xgboost": "3.2.0"}) is None


def test_find_model_environment_of_a_release_beyond_the_table() -> None:
    found = catalog.find_model_environment({"scikit-learn": "9.0.1"})
    assert found is not None
    assert found.pythons == ()
    assert "scikit-learn==9.0.1" in found.pins
