"""Which classes of scikit-learn, XGBoost, LightGBM and CatBoost predict, and when they are fitted.

The classes of scikit-learn were collected from its releases (`estimators.json`); nothing is said of any other.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Mapping
from pathlib import Path

# Classes of other libraries, and the attribute that a fitted one has, with a value.
_FITTED_ATTRIBUTE = {
    "xgboost.sklearn.XGB": "_Booster",
    "lightgbm.sklearn.LGBM": "_Booster",
    "catboost.core.": "__model",
}
_CATBOOST = frozenset({"CatBoost", "CatBoostClassifier", "CatBoostRegressor", "CatBoostRanker"})


def predicts(name: str) -> bool | None:
    """Return whether a class, given by its dotted name, has a predict method; None if that is not known."""
    if name in _listed("predict") or _fitted_attribute(name):
        return True
    return False if name in _listed("without") else None


def is_transformer(name: str) -> bool:
    """Return whether a class without predict can be a step of a pipeline, before a predictor."""
    return predicts(name) is False and name.rpartition(".")[2] in _listed("transform")


def is_fitted(name: str, attributes: Collection[str], flags: Mapping[str, bool | None]) -> bool | None:
    """Return whether an instance with these attributes was fitted; None if that cannot be told of its class.

    Args:
        name: The dotted name of the class.
        attributes: The names of all attributes in the pickled state.
        flags: The attributes whose value is True, False or None.
    """
    if attribute := _fitted_attribute(name):
        return attribute in attributes and flags.get(attribute, True) is not None
    if name not in _listed("predict"):
        return None
    return any(one.endswith("_") and not one.startswith("__") for one in attributes)


def _fitted_attribute(name: str) -> str:
    short = name.rpartition(".")[2]
    found = (attribute for prefix, attribute in _FITTED_ATTRIBUTE.items() if name.startswith(prefix))
    return next(found, "") if not name.startswith("catboost.") or short in _CATBOOST else ""


@functools.cache
def _listed(key: str) -> frozenset[str]:
    text = (Path(__file__).parent / "estimators.json").read_text(encoding="utf-8")
    return frozenset(json.loads(text)[key])
