"""`$name` in real magics: a model straight from memory, a frame as instances, a mistake in a name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
import xgboost
from sklearn.linear_model import LogisticRegression

from aip_magics.errors import AipError, CellError, OptionError


@pytest.fixture
def names(shell: Any, iris_data: Any) -> dict[str, Any]:
    """The variables of a notebook that has just trained."""
    rows, species = (numpy.array(part) for part in iris_data)
    boosted = xgboost.train(
        {"objective": "multi:softprob", "num_class": 3, "nthread": 1}, xgboost.DMatrix(rows, species), 3
    )
    found: dict[str, Any] = shell.user_ns
    found.update(
        flowers=LogisticRegression(max_iter=1000).fit(rows, species),
        boosted=boosted,
        frame=pandas.DataFrame(rows[[0, 70]], columns=list("abcd")),
        description="from a variable",
        labels={"team": "iris"},
        nodes=numpy.int64(1),
    )
    return found


def test_variables_a_model_in_memory_is_deployed_with_a_frame_as_its_test(shell: Any, names: dict[str, Any]) -> None:
    version = shell.run_cell_magic(
        "aip_deploy",
        "--origin $flowers --description $description --labels=$labels -q",
        "manualScaling:\n  nodes: $nodes\ntest:\n  instances: $frame",
    )
    assert (version.name, version.framework) == ("projects/aip-local/models/flowers/versions/v1", "SCIKIT_LEARN")
    assert (version.description, version.labels, version.manualScaling.nodes) == (
        "from a variable",
        {"team": "iris"},
        1,
    )
    expected = names["flowers"].predict(names["frame"].to_numpy()).tolist()
    answer = shell.run_cell_magic("aip_predict", "--model flowers -q", "$frame")
    assert answer == {"predictions": expected}
    here = shell.run_cell_magic("aip_local_predict", "--model-dir $flowers -q", "instances: $frame")
    assert here == answer


def test_variables_a_booster_in_memory_predicts_here(shell: Any, names: dict[str, Any]) -> None:
    rows = names["frame"].to_numpy()
    answer = shell.run_cell_magic("aip_local_predict", "--model-dir $boosted -q", "$frame")
    expected = names["boosted"].predict(xgboost.DMatrix(rows))
    numpy.testing.assert_allclose(answer["predictions"], expected, rtol=1e-6)


def test_variables_a_model_as_deployment_uri_of_the_body(shell: Any, names: dict[str, Any], home: Path) -> None:
    plan = shell.run_cell_magic("aip_deploy", "--dry-run -q", "deploymentUri: $flowers")
    assert any(choice.value == "SCIKIT_LEARN" for choice in plan.choices)


@pytest.mark.parametrize(
    ("line", "body", "kind", "text"),
    [
        ("--origin $flwoers", "description: x", CellError, "did you mean 'flowers'"),
        ("--origin $flowers", "test: {instances: $fram}", CellError, "did you mean 'frame'"),
        ("--origin $frame", "description: x", OptionError, "frame is a pandas.*DataFrame, not a model"),
        ("--origin $flowers --model $flowers", "description: x", OptionError, "cannot be used here"),
        ("--origin $$flowers", "description: x", AipError, r"\$flowers"),
    ],
)
def test_variables_tell_a_mistake(
    shell: Any, names: dict[str, Any], line: str, body: str, kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind, match=text):
        shell.run_cell_magic("aip_deploy", f"{line} -q", body)
