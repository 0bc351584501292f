"""Models whose prediction of a row has the same bits alone and among other rows.

Trees compare and add, scalers subtract and divide, each row in its own order. A linear model is not among them: the
linear algebra library multiplies one row in another order than many, and the last bit of a number differs.
"""

from typing import Any

ROW_WISE = {
    "sklearn": frozenset(
        [
            # trees
            "DecisionTreeClassifier",
            "DecisionTreeRegressor",
            "ExtraTreeClassifier",
            "ExtraTreeRegressor",
            "ExtraTreesClassifier",
            "ExtraTreesRegressor",
            "GradientBoostingClassifier",
            "GradientBoostingRegressor",
            "HistGradientBoostingClassifier",
            "HistGradientBoostingRegressor",
            "RandomForestClassifier",
            "RandomForestRegressor",
            # what stands before them in a pipeline
            "Binarizer",
            "MaxAbsScaler",
            "MinMaxScaler",
            "RobustScaler",
            "SimpleImputer",
            "StandardScaler",
        ]
    ),
    "xgboost": frozenset(["Booster", "XGBClassifier", "XGBRFClassifier", "XGBRFRegressor", "XGBRegressor"]),
}
OF_A_CONSTANT = frozenset(["DummyClassifier", "DummyRegressor"])  # what GradientBoosting… begins with by default
OVERRIDDEN = frozenset(["predict", "transform"])  # attributes of an instance that take the place of its class's


def is_row_wise(model: "Any") -> bool:
    """Whether a model, or each step of a pipeline, is listed here, of exactly that class."""
    try:
        return _is_listed(model)
    except Exception:  # noqa: BLE001 (a file may hold half an estimator)
        return False


def _is_listed(model: "Any") -> bool:
    if not OVERRIDDEN.isdisjoint(vars(model)):
        return False
    kind = type(model)
    library, name = kind.__module__.partition(".")[0], kind.__name__
    if library == "sklearn" and name == "Pipeline":
        return all(step in (None, "passthrough") or _is_listed(step) for _, step in model.steps)
    if name not in ROW_WISE.get(library, ()):
        return False
    first = getattr(model, "init_", None)  # of GradientBoosting…: may be any estimator
    return first is None or first == "zero" or type(first).__name__ in OF_A_CONSTANT
