import importlib.util
import re
from pathlib import Path

import pytest

from aip_magics import catalog


def test_vertex_machine_types():
    machine = catalog.vertex_machine_type("n1-highmem-8")
    assert machine == catalog.VertexMachineType("n1-highmem-8", 8, 52)
    assert catalog.vertex_machine_type("a2-ultragpu-4g") == catalog.VertexMachineType(
        "a2-ultragpu-4g", 48, 680, "NVIDIA_A100_80GB", 4
    )
    assert catalog.vertex_machine_type("mls1-c1-m2") is None
    assert catalog.default_vertex_machine_type().name == "n1-standard-2"
    names = [row.name for row in catalog.vertex_machine_types()]
    assert len(names) == len(set(names))


def test_vertex_machine_types_have_the_vcpus_of_their_name():
    for row in catalog.vertex_machine_types():
        if row.accelerator is None:
            assert row.name.endswith(f"-{row.vcpus}")


@pytest.mark.parametrize(
    ("machine", "accelerator", "counts"),
    [
        ("n1-standard-2", "NVIDIA_TESLA_T4", (1, 2, 4)),
        ("n1-standard-32", "NVIDIA_TESLA_T4", (2, 4)),
        ("n1-highmem-16", "NVIDIA_TESLA_V100", (2, 4, 8)),
        ("n1-standard-2", "NVIDIA_TESLA_K80", ()),
        ("n2-standard-2", "NVIDIA_TESLA_T4", ()),
        ("g2-standard-24", "NVIDIA_L4", (2,)),
        ("g2-standard-24", "NVIDIA_TESLA_T4", ()),
    ],
)
def test_vertex_machine_type_accelerator_counts(machine, accelerator, counts):
    found = catalog.vertex_machine_type(machine)
    assert found is not None
    assert found.accelerator_counts(accelerator) == counts


def test_vertex_accelerators_name_those_of_the_machines():
    built_in = {row.accelerator for row in catalog.vertex_machine_types() if row.accelerator}
    assert built_in | set(catalog.optional_accelerators()) <= set(catalog.vertex_accelerators())


def test_vertex_regions():
    assert len(catalog.vertex_regions()) == len(set(catalog.vertex_regions())) == 39
    assert catalog.default_vertex_region() in catalog.vertex_regions()
    assert not set(catalog.newer_vertex_regions()) & set(catalog.vertex_regions())


def test_vertex_regions_are_those_of_the_sdk():
    spec = importlib.util.find_spec("google.cloud.aiplatform")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the SDK google-cloud-aiplatform is not installed")
    text = Path(spec.submodule_search_locations[0], "constants", "base.py").read_text(encoding="utf-8")
    table = re.search(r"SUPPORTED_REGIONS = frozenset\((.*?)\)", text, re.DOTALL)
    assert table is not None
    regions = set(re.findall(r'"([a-z]+-[a-z]+\d+)"', table[1]))
    assert set(catalog.vertex_regions()) | set(catalog.newer_vertex_regions()) == regions


def test_vertex_limits():
    limits = catalog.vertex_limits()
    assert limits.payload_bytes_shared == 1.5 * 1024**2
    assert limits.payload_bytes_dedicated == 10 * 1024**2
    assert limits.deployment_timeout_seconds == 2 * 60 * 60
