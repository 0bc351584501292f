"""Rules of Vertex AI's API: the work for many aliases or metrics in one request grows with their number only."""

import contextlib
import sys

import pytest

from aip_magics.server.names import ModelKey
from aip_magics.server.state.database import Database
from aip_magics.server.state.vertex_models_table import VertexModelRow, VertexVersionRow
from aip_magics.server.vertex import deployment_rules, models
from aip_magics.server.vertex.endpoint_resources import (
    AutoscalingMetricSpec,
    DedicatedResources,
    DeployedModel,
    MachineSpec,
)
from aip_magics.spec import Version

MANY = 300
KEY = ModelKey("vertex:us-central1", "1", "m")


class Counted(str):
    """A text that counts how often it is compared."""

    comparisons = 0

    def __eq__(self, other):
        Counted.comparisons += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


@pytest.fixture(autouse=True)
def _counted(monkeypatch):
    monkeypatch.setattr(Counted, "comparisons", 0)


def test_vertex_deployment_rules_compare_each_metric_a_few_times():
    metrics = tuple(
        AutoscalingMetricSpec(Counted(f"aiplatform.googleapis.com/prediction/online/{number}"))
        for number in range(MANY)
    )
    resources = DedicatedResources(MachineSpec("n1-standard-2"), minReplicaCount=1, autoscalingMetricSpecs=metrics)
    deployment_rules.check_resources(DeployedModel(dedicatedResources=resources))
    assert Counted.comparisons < 20 * MANY


def test_vertex_models_compare_each_alias_a_few_times(tmp_path):
    with contextlib.closing(Database(tmp_path / "service.sqlite")) as database:
        row = VertexVersionRow(KEY, 1, {}, Version(), sys.executable, "snapshot")
        database.vertex_models.put(VertexModelRow(KEY, 2, {}))
        added, removed = ([Counted(f"{prefix}{number}") for number in range(MANY)] for prefix in "ab")
        models.set_aliases(database, None, row, added, removed)
        [stored] = database.vertex_models.list_versions(KEY)
    assert stored.aliases == (*added, "default")
    assert Counted.comparisons < 20 * MANY
