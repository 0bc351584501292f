import pytest

from aip_magics import catalog


@pytest.mark.parametrize(
    ("framework", "version", "runtime", "python"),
    [
        ("SCIKIT_LEARN", "1.0.2", "2.11", "3.7"),
        ("SCIKIT_LEARN", "1.0", "2.11", "3.7"),
        ("SCIKIT_LEARN", "0.24.2", "2.6", "3.7"),
        ("SCIKIT_LEARN", "0.24.0", "2.6", "3.7"),
        ("SCIKIT_LEARN", "0.20.3", "1.15", "3.7"),
        ("SCIKIT_LEARN", "0.21.3", "2.1", "3.7"),  # no runtime has 0.21: the next one above
        ("SCIKIT_LEARN", "0.18.1", "1.4", "3.5"),
        ("XGBOOST", "1.6.2", "2.11", "3.7"),
        ("XGBOOST", "1.5.2", "2.8", "3.7"),
        ("XGBOOST", "0.90", "2.1", "3.7"),
        ("TENSORFLOW", "2.11.1", "2.11", "3.7"),
        ("TENSORFLOW", "2.10.0", "2.11", "3.7"),
        ("TENSORFLOW", "1.14.0", "1.14", "3.5"),
        ("SCIKIT_LEARN", None, "2.11", "3.7"),
        ("FRAMEWORK_UNSPECIFIED", None, "2.11", "3.7"),
    ],
)
def test_runtime_match_for_a_library_version(framework, version, runtime, python):
    fit = catalog.match_runtime(framework, version)
    assert (fit.runtime, fit.python) == (runtime, python)
    assert fit.pins == ()
    assert fit.reason


def test_runtime_match_for_scikit_learn_too_new_for_every_runtime():
    fit = catalog.match_runtime("SCIKIT_LEARN", "1.9.1")
    assert (fit.runtime, fit.python) == (None, None)
    assert fit.reason == "scikit-learn 1.9.1 cannot be loaded by any runtime; the newest is 1.0.2 on 2.11"
    assert fit.pins == ("scikit-learn==1.0.2", "numpy==1.21.6", "pandas==1.3.5")
    assert (fit.retrain_python, fit.certainty) == ("3.7", "certain")


def test_runtime_match_names_the_first_release_that_no_runtime_has():
    assert not catalog.above_all_runtimes("scikit-learn", "1.0.2")
    assert catalog.above_all_runtimes("scikit-learn", "1.1.0")
    assert not catalog.above_all_runtimes("xgboost", "1.6.2")
    assert catalog.above_all_runtimes("xgboost", "1.7.0")


def test_runtime_match_lets_a_newer_tensorflow_try_to_load():
    fit = catalog.match_runtime("TENSORFLOW", "2.21.0")
    assert fit.runtime == "2.11"
    assert "may still load" in fit.reason
    assert not catalog.above_all_runtimes("tensorflow", "2.21.0")


def test_runtime_match_names_the_library_that_does_not_match():
    assert catalog.match_runtime_to_all("SCIKIT_LEARN", {"scikit-learn": "0.24.2"}).runtime == "2.6"
    mixed = catalog.match_runtime_to_all("SCIKIT_LEARN", {"scikit-learn": "1.0.2", "xgboost": "3.2.0"})
    assert mixed.runtime is None
    assert "xgboost 3.2.0" in mixed.reason


def test_runtime_match_tells_newer_for_certain_or_as_remembered():
    def newer(library, version, runtime, python=None):
        return catalog.newer_than_runtime(library, version, catalog.runtime(runtime), python)

    assert newer("scikit-learn", "1.1.0", "2.11") == "certain"
    assert newer("scikit-learn", "1.0.2", "2.3") == "remembered"
    assert newer("scikit-learn", "0.24.0", "1.15", "2.7") == "certain"  # 0.20.4 is the last for Python 2.7
    assert newer("scikit-learn", "0.24.0", "1.15", "3.7") == "remembered"
    assert newer("scikit-learn", "1.0.2", "2.11") is None
    assert newer("xgboost", "1.5.2", "2.8") is None  # the table says 1.5: the series
    assert newer("numpy", "2.4", "2.11") is None  # not a library of the models


def test_runtime_match_reads_library_names():
    assert catalog.library_name("SCIKIT_LEARN") == "scikit-learn"
    assert catalog.library_name("FRAMEWORK_UNSPECIFIED") == ""
    assert catalog.library_of(catalog.runtimes()[0], "scikit-learn") == "1.0.2"
