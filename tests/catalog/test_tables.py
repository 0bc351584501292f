import importlib
import sys
import types
from importlib import resources

import pytest

from aip_magics import catalog
from aip_magics.catalog import tables

tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")


def test_tables_runtimes_are_newest_first_and_unique():
    versions = [catalog.parse_version(row.version) for row in catalog.runtimes()]
    assert versions == sorted(set(versions), reverse=True)
    assert catalog.runtimes()[0].version == "2.11"


def test_tables_runtime_matches_the_documentation():
    runtime = catalog.runtime("2.11")
    assert runtime is not None
    assert runtime.python == ("3.7",)
    assert (runtime.sklearn, runtime.xgboost) == ("1.0.2", "1.6.2")
    assert (runtime.certainty("python"), runtime.certainty("sklearn")) == ("certain", "remembered")


@pytest.mark.parametrize("version", ["2.0", "2.10", "2.12", "2.11.0", ""])
def test_tables_refuse_a_runtime_that_was_never_offered(version):
    assert catalog.runtime(version) is None


def test_tables_python_of_every_runtime_follows_the_certain_rule():
    for row in catalog.runtimes():
        number = catalog.parse_version(row.version)
        expected = {
            "3.7": number >= (1, 15),
            "3.5": (1, 4) <= number <= (1, 14),
            "2.7": number <= (1, 15),
        }
        assert set(row.python) == {python for python, holds in expected.items() if holds}, row.version


def test_tables_no_runtime_claims_more_than_its_python_supports():
    ceilings = {row.python: row for row in catalog.max_library_versions()}
    for row in catalog.runtimes():
        for column in ("sklearn", "xgboost", "numpy", "pandas", "tensorflow"):
            has = getattr(row, column)
            top = max(catalog.parse_version(getattr(ceilings[python], column)) for python in row.python)
            assert has is None or catalog.parse_version(has) <= top, (row.version, column)


@pytest.mark.parametrize(("regional", "name", "family"), [(True, "n1-standard-2", "N1"), (False, "mls1-c1-m2", "MLS1")])
def test_tables_default_machine_type(regional, name, family):
    machine = catalog.default_machine_type(regional)
    assert (machine.name, machine.family) == (name, family)
    assert catalog.machine_type(name) == machine


def test_tables_machine_types():
    assert catalog.machine_type("n1-highmem-8") == catalog.MachineType("n1-highmem-8", "N1", 8, 52.0, "remembered")
    assert catalog.machine_type("mls1-highmem-1") is None  # its name before 2019
    assert [row.name for row in catalog.machine_types() if row.formerly == "mls1-highmem-1"] == ["mls1-c1-m2"]
    names = [row.name for row in catalog.machine_types()]
    assert len(names) == len(set(names)) == 18


def test_tables_regions():
    assert len(catalog.regional_regions()) == 13
    assert len(catalog.global_regions()) == 5
    assert set(catalog.global_regions()) < set(catalog.regional_regions())
    assert catalog.default_region() in catalog.global_regions()


def test_tables_limits():
    limits = catalog.limits()
    assert limits.predict_body_bytes == 1572864
    assert limits.model_dir_files == 1000
    assert limits.model_dir_bytes("MLS1") == 500 * 1024**2
    assert limits.model_dir_bytes("N1") == 10 * 1024**3
    assert "name_chars" in limits.remembered
    assert "predict_body_bytes" not in limits.remembered


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("1.0.2", (1, 0, 2)), ("0.22.2.post1", (0, 22, 2)), ("1.7rc1", (1, 7)), ("0.6a2", (0, 6)), ("3", (3,)), ("x", ())],
)
def test_parse_version_of_texts(text, numbers):
    assert catalog.parse_version(text) == numbers


def test_tables_are_read_once():
    assert catalog.runtimes() is catalog.runtimes()
    assert catalog.limits() is catalog.limits()


def test_tables_are_package_data_and_name_their_source():
    folder = resources.files("aip_magics.catalog")
    for name in ("runtimes", "machine_types", "regions", "limits"):
        text = folder.joinpath(f"{name}.toml").read_text(encoding="utf-8")
        assert tomllib.loads(text)
        assert "source" in text.lower(), name


def test_tables_are_read_with_tomli_on_python_3_10(monkeypatch):
    read = []
    monkeypatch.setitem(sys.modules, "tomli", types.SimpleNamespace(loads=lambda text: read.append(text) or {"a": 1}))
    monkeypatch.setattr(sys, "version_info", (3, 10, 0))
    assert tables.read_table.__wrapped__("regions") == {"a": 1}
    assert len(read) == 1
