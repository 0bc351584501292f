"""What each framework's model is fed with, and what becomes of its result."""

# ruff: noqa: UP032

import sys
from typing import Any

from .refusal import Refusal, said

BAD_OUTPUT = (
    "Bad output type returned. The predict function should return either a numpy ndarray or a list. It returned {}."
)


class SklearnModel:
    """A scikit-learn estimator: gets the list as it was parsed, always by `predict`."""

    framework = "SCIKIT_LEARN"
    engine = "scikit_learn"

    def __init__(self, model: "Any") -> None:
        self.model = model

    def preprocess(self, instances: "list[Any]") -> "Any":
        return instances

    def run(self, inputs: "Any", options: "dict[str, Any]") -> "Any":
        try:
            return self.model.predict(inputs, **options)
        except Exception as error:
            raise Refusal("FAILED_TO_RUN_MODEL", "Exception during sklearn prediction: " + said(error)) from error

    def postprocess(self, output: "Any") -> "list[Any]":
        numpy = sys.modules.get("numpy")
        made = type(output).__name__
        if numpy is not None and isinstance(output, numpy.ndarray):
            output = output.tolist()
        if isinstance(output, list):
            return output
        raise Refusal("INVALID_OUTPUTS", BAD_OUTPUT.format(made))


class XgboostModel(SklearnModel):
    """An XGBoost booster: gets a DMatrix without feature names, NaN is a missing value."""

    framework = "XGBOOST"
    engine = "xgboost"

    def preprocess(self, instances: "list[Any]") -> "Any":
        import numpy
        import xgboost

        try:
            array = numpy.array(instances)
        except Exception as error:
            raise Refusal("INVALID_INPUTS", uneven(instances) or said(error)) from error
        try:
            return xgboost.DMatrix(array)
        except Exception as error:
            text = "Could not initialize DMatrix from inputs: " + said(error)
            raise Refusal("FAILED_TO_RUN_MODEL", text) from error

    def run(self, inputs: "Any", options: "dict[str, Any]") -> "Any":
        try:
            return self.model.predict(inputs, **options)
        except Exception as error:
            raise Refusal("FAILED_TO_RUN_MODEL", "Exception during xgboost prediction: " + said(error)) from error


def uneven(instances: "list[Any]") -> str:
    """Which instance is not as long as the first; empty if all are."""
    sizes = [len(row) if isinstance(row, list) else None for row in instances]
    for index, size in enumerate(sizes):
        if size != sizes[0]:
            numbers = ["one value" if n is None else "a list of {}".format(n) for n in (size, sizes[0])]
            return "instance {} is {}, but instance 0 is {}".format(index, *numbers)
    return ""
