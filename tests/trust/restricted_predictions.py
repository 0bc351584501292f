"""Load models restricted, as a worker loads untrusted ones, and let them predict, as a separate process for the tests.

`restricted_predictions.py GLOBALS FOLDER`: FOLDER/models.json has [[file, method, name of its input]] and
FOLDER/inputs.joblib the inputs. FOLDER/answers.json gets what each file answered, as nested lists, or the error.
"""

from __future__ import annotations

import contextlib
import json
import runpy
import sys
import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np

WORKER = Path(__file__).parents[2] / "aip_magics" / "prediction" / "worker" / "__main__.py"


def answer_of(model: Any, method: str, data: Any) -> Any:
    """What a model answers, as nested lists."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = getattr(model, method)(data)
    return np.asarray(answer.toarray() if hasattr(answer, "toarray") else answer).tolist()


def main(listed: str, folder: Path) -> None:
    warnings.simplefilter("ignore")
    models = json.loads((folder / "models.json").read_text())
    inputs = joblib.load(folder / "inputs.joblib")
    import_submodule = runpy.run_path(str(WORKER))["import_submodule"]
    import_submodule("reader_patches").install(import_submodule("allowed_globals").AllowedGlobals(listed, [], []))
    pickle = sys.modules["pickle"]
    answers: dict[str, Any] = {}
    for name, method, key in models:
        try:
            with open(folder / name, "rb") as file, contextlib.redirect_stdout(None):
                model = joblib.load(folder / name) if name.endswith(".joblib") else pickle.load(file)
            answers[name] = answer_of(model, method, inputs[key]) if method else type(model).__name__
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            answers[name] = f"{type(error).__name__}: {error}"
    (folder / "answers.json").write_text(json.dumps(answers, default=str))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
