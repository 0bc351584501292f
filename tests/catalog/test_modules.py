"""Which modules a runtime has, and which came or went between releases."""

import pytest

from aip_magics import catalog

NEWEST, OLD = catalog.runtime("2.11"), catalog.runtime("1.2")


@pytest.mark.parametrize("name", ["os", "builtins", "copy_reg", "sklearn", "scipy", "numpy", "pandas", "tensorflow"])
def test_modules_of_a_runtime_are_its_libraries_and_the_standard_library(name):
    assert catalog.runtime_has(name, NEWEST)


def test_modules_of_other_libraries_are_not_in_a_runtime():
    assert not catalog.runtime_has("lightgbm", NEWEST)
    assert not catalog.runtime_has("xgboost", OLD)  # runtimes have it from 1.4 on


@pytest.mark.parametrize(
    ("module", "runtime", "library", "certainty"),
    [
        ("numpy._core.multiarray", "2.11", "numpy", "certain"),
        ("sklearn.linear_model.logistic", "2.11", "scikit-learn", "remembered"),
        ("sklearn._loss.link", "2.8", "scikit-learn", "remembered"),
        ("sklearn.externals.joblib.numpy_pickle", "2.3", "scikit-learn", "remembered"),
    ],
)
def test_modules_of_other_releases_are_removed(module, runtime, library, certainty):
    gone = catalog.module_gone(module, catalog.runtime(runtime))
    assert (gone.module, gone.library, gone.certainty) == (module, library, certainty)


@pytest.mark.parametrize(
    ("module", "runtime"),
    [
        ("numpy.core.multiarray", "2.11"),
        ("sklearn.linear_model._logistic", "2.11"),
        ("sklearn.linear_model.logistic", "1.15"),
        ("sklearn.linear_model.logistic_like", "2.11"),
        ("sklearn.externals.joblib", "1.15"),
    ],
)
def test_modules_that_exist_are_not_removed(module, runtime):
    assert catalog.module_gone(module, catalog.runtime(runtime)) is None
