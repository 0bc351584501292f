"""A model with a lambda: the fix of the error, followed step by step, deploys the model."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from aip_magics.errors import OptionError

MODULE = "import numpy\n\n\ndef scale(rows):\n    return numpy.asarray(rows) / 10\n"
DEFINITIONS = {
    "a lambda": "scale = lambda rows: numpy.asarray(rows) / 10",
    "local": "def outer():\n    def scale(rows): return numpy.asarray(rows) / 10\n    return scale\nscale = outer()",
}


@pytest.mark.parametrize("kind", DEFINITIONS)
def test_lambda_model_is_deployed_as_the_fix_says(
    kind: str, shell: Any, iris_data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    names = shell.user_ns
    names.update(LogisticRegression=LogisticRegression, FunctionTransformer=FunctionTransformer)
    names.update(make_pipeline=make_pipeline, rows=iris_data[0], species=iris_data[1])
    model = "lam = make_pipeline(FunctionTransformer(scale), LogisticRegression(max_iter=1000)).fit(rows, species)"
    shell.run_cell(f"import numpy\n{DEFINITIONS[kind]}\n{model}").raise_error()
    with pytest.raises(OptionError, match=r"could not save lam: lam\.steps\[0\]\[1\]\.func is ") as caught:
        shell.run_line_magic("aip_deploy", "--model l --origin $lam -q")
    assert "my_module.py, import it from there and create the model again; build the package" in caught.value.fix

    Path("my_module.py").write_text(MODULE)
    importlib.invalidate_caches()
    try:
        shell.run_cell(f"from my_module import scale\n{model}").raise_error()
        shell.run_line_magic("aip_package", "my_module.py -q -o package")
        options = "--model l --origin $lam --package-uris $package -q"
        version = shell.run_cell_magic("aip_deploy", options, "test: {instances: [[5.1, 3.5, 1.4, 0.2]]}")
        assert version.state == "READY"
        answer = shell.run_cell_magic("aip_predict", "--model l -q", "[[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]")
        expected = names["lam"].predict([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]).tolist()
        assert answer == {"predictions": expected}
    finally:
        sys.modules.pop("my_module", None)
