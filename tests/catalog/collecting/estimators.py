"""What each estimator of this environment shows before and after `fit`: printed as JSON. Runs on Python 3.7 and newer.

    python tests/catalog/collecting/estimators.py

`predict`: its class has the method, an unfitted one raises, and the names of its attributes tell the two apart, as
scikit-learn's own check_is_fitted does: one of a fitted one ends in an underscore. `without`: it never has `predict`.
`transform`: the names of those that may stand before a predictor in a pipeline.
`left_out`: neither is certain (a Gaussian process predicts before fit, a frozen estimator does what its part does).
"""

import json
import sys
import warnings

import numpy as np

try:
    from specimens_sklearn import TEXTS, X, Y, everything, fitted
except ImportError:
    from .specimens_sklearn import TEXTS, X, Y, everything, fitted

INNER = ("estimator", "base_estimator", "final_estimator")


def is_marked(model):
    """Whether an attribute in the pickled state ends in an underscore."""
    state = model.__getstate__() if hasattr(model, "__getstate__") else None
    names = vars(model) if state is None else state
    return any(name.endswith("_") and not name.startswith("__") for name in names)


def refuses(model):
    """Whether `predict` fails for everything that may be an input."""
    for data in (X, X[:, :1], X[:, 0], TEXTS, [{"a": 1}], X @ X.T):
        try:
            model.predict(data)
        except Exception:  # noqa: BLE001 - that is the question
            continue
        return False
    return True


def with_fitted_parts(model):
    """An estimator that was not fitted itself, with fitted ones as its parts."""
    for name, part in model.get_params(deep=False).items():
        if name in INNER and hasattr(part, "fit"):
            model.set_params(**{name: part.fit(X, Y)})
        elif name in ("estimators", "steps", "transformers", "transformer_list") and part:
            for each in part:
                if hasattr(each[1], "fit"):
                    each[1].fit(X, Y)
    return model


def kind(name, cls):
    """`predict`, `without`, or `left_out`."""
    from sklearn.base import clone

    model = fitted(name, cls)
    if not hasattr(cls, "predict"):
        return "left_out" if hasattr(model, "predict") else "without"
    fresh = clone(model)
    certain = is_marked(model) and not is_marked(fresh) and refuses(fresh)
    # A pipeline is fitted when its last step is.
    return "predict" if certain and (name == "Pipeline" or refuses(with_fitted_parts(clone(model)))) else "left_out"


def collected():
    import sklearn

    found = {"version": sklearn.__version__, "predict": [], "without": [], "left_out": [], "transform": []}
    for name, cls in everything():
        np.random.seed(0)
        try:
            which = kind(name, cls)
        except Exception as error:  # noqa: BLE001 - it is told, and nothing is said of that class
            sys.stderr.write("left out: {}: {!r}\n".format(name, error)[:200])
            which = "left_out"
        found[which].append("{}.{}".format(cls.__module__, cls.__name__))
        if which == "without" and hasattr(cls, "transform") and not name.startswith(("Label", "MultiLabel")):
            found["transform"].append(name)
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    out, sys.stdout = sys.stdout, sys.stderr  # `fitted` prints
    json.dump(collected(), out)
