"""Models of scikit-learn and XGBoost: convert instances to inputs, predict, convert outputs to predictions."""

import sys
from typing import Any

from .errors import ModelError, class_name, error_text
from .hints import hint_for_predict, release_hint
from .inputs import as_list, find_shape_error
from .predict_hints import estimator_hint, output_type_hint
from .row_wise import is_row_wise

BAD_OUTPUT = (
    "Bad output type returned. The predict function should return either a numpy ndarray or a list. It returned {}."
)


class SklearnModel:
    """A scikit-learn estimator. `predict` receives the list of instances as parsed."""

    framework = "SCIKIT_LEARN"
    label = engine = "scikit_learn"

    def __init__(self, model: "Any") -> None:
        self.model = model
        self.class_name = class_name(model)
        self.row_wise = is_row_wise(model)

    def preprocess(self, instances: "Any", options: "dict[str, Any]") -> "Any":
        options.pop("signature_name", None)
        return as_list(instances)

    def run(self, inputs: "Any", options: "dict[str, Any]") -> "Any":
        try:
            return self.model.predict(inputs, **options)
        except Exception as error:
            text = "Exception during sklearn prediction: " + error_text(error)
            fix = release_hint(error) or hint_for_predict(self.model, error) or estimator_hint(error, inputs)
            raise ModelError("FAILED_TO_RUN_MODEL", text, fix) from error

    def postprocess(self, output: "Any") -> "list[Any]":
        numpy = sys.modules.get("numpy")
        result = output
        if numpy is not None and isinstance(output, numpy.ndarray):
            output = output.tolist()
        if isinstance(output, list):
            return output
        raise ModelError("INVALID_OUTPUTS", BAD_OUTPUT.format(type(result).__name__), output_type_hint(result))


class XgboostModel(SklearnModel):
    """An XGBoost booster. `predict` receives a DMatrix without feature names; NaN is a missing value."""

    framework = "XGBOOST"
    label = engine = "xgboost"

    def preprocess(self, instances: "Any", options: "dict[str, Any]") -> "Any":
        import numpy
        import xgboost

        rows = SklearnModel.preprocess(self, instances, options)
        try:
            array = numpy.array(rows)
        except Exception as error:
            raise ModelError("INVALID_INPUTS", find_shape_error(rows) or error_text(error)) from error
        try:
            return xgboost.DMatrix(array)
        except Exception as error:
            text = "Could not initialize DMatrix from inputs: " + error_text(error)
            raise ModelError("FAILED_TO_RUN_MODEL", text) from error

    def run(self, inputs: "Any", options: "dict[str, Any]") -> "Any":
        try:
            return self.model.predict(inputs, **options)
        except Exception as error:
            text = "Exception during xgboost prediction: " + error_text(error)
            raise ModelError("FAILED_TO_RUN_MODEL", text, estimator_hint(error, inputs)) from error
