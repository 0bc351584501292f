"""Searches over parameters: lists, grids, SciPy's distributions, folds and scorers, as people combine them.

`specimens()` yields (name, how to make it); `get` and the like are for the other compositions, too. Runs on Python 3.7
to the newest.
"""

import importlib

import numpy as np

try:
    from specimens_sklearn import X, Y
except ImportError:
    from .specimens_sklearn import X, Y


def get(dotted, *arguments, **options):
    """What is called, with these arguments: get("sklearn.svm.SVC", C=2)."""
    return find(dotted)(*arguments, **options)


def find(dotted):
    """What is imported by this name."""
    module, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(module), name)


def logistic():
    return get("sklearn.linear_model.LogisticRegression")


def chain(*steps):
    return get("sklearn.pipeline.make_pipeline", *steps)


def search(kind, space, model=None, **options):
    if kind.startswith("Halving"):
        importlib.import_module("sklearn.experimental.enable_halving_search_cv")
    if not kind.endswith("GridSearchCV"):
        options.setdefault("random_state", 0)
    if kind == "RandomizedSearchCV":
        options.setdefault("n_iter", 2)
    options.setdefault("cv", 2)
    return get("sklearn.model_selection." + kind, logistic() if model is None else model, space, **options).fit(X, Y)


def specimens():
    for name, arguments in {"uniform": (0.1, 2), "loguniform": (0.1, 2), "expon": (0.1,), "norm": (5, 0.1), "gamma": (2,),
                            "beta": (1, 2), "lognorm": (1,), "truncnorm": (1, 2), "halfnorm": (0.1,)}.items():  # fmt: skip
        yield (
            "search of " + name,
            lambda name=name, arguments=arguments: search(
                "RandomizedSearchCV", {"C": get("scipy.stats." + name, *arguments)}
            ),
        )
    for name, arguments in {"randint": (1, 4), "poisson": (2, 1), "geom": (0.5,), "binom": (4, 0.5, 1)}.items():

        def whole(name=name, arguments=arguments, kind="RandomizedSearchCV"):
            forest = get("sklearn.ensemble.RandomForestClassifier", 3)
            return search(kind, {"max_depth": get("scipy.stats." + name, *arguments)}, forest)

        yield "search of " + name, whole
    yield "halving search of randint", lambda: whole("randint", (1, 4), "HalvingRandomSearchCV")
    yield "halving grid", lambda: search("HalvingGridSearchCV", {"C": [0.1, 1.0]})

    def histogram():
        return get("scipy.stats.rv_histogram", np.histogram(X[:, 0] + 1, bins=4))

    yield "search of a histogram", lambda: search("RandomizedSearchCV", {"C": histogram()})
    yield (
        "search of values",
        lambda: search("RandomizedSearchCV", {"C": get("scipy.stats.rv_discrete", values=([1, 2], [0.5, 0.5]))}),
    )
    yield (
        "search over steps",
        lambda: search(
            "GridSearchCV",
            {
                "standardscaler": ["passthrough", get("sklearn.preprocessing.MinMaxScaler")],
                "logisticregression__C": [1, 2],
            },
            chain(get("sklearn.preprocessing.StandardScaler"), logistic()),
        ),
    )
    for metric, options in (("f1_score", {}), ("fbeta_score", {"beta": 2}), ("balanced_accuracy_score", {}),
                            ("matthews_corrcoef", {})):  # fmt: skip
        yield (
            "search by " + metric,
            lambda metric=metric, options=options: search(
                "GridSearchCV",
                {"C": np.array([0.1, 1.0])},
                scoring=get("sklearn.metrics.make_scorer", find("sklearn.metrics." + metric), **options),
            ),
        )
    yield (
        "search by several",
        lambda: search("GridSearchCV", {"C": [1]}, scoring=["accuracy", "roc_auc"], refit="roc_auc"),
    )
    for name in (
        "TimeSeriesSplit",
        "ShuffleSplit",
        "StratifiedShuffleSplit",
        "RepeatedStratifiedKFold",
        "StratifiedKFold",
    ):

        def folds(name=name):
            return search("GridSearchCV", {"C": [1, 2]}, cv=get("sklearn.model_selection." + name, n_splits=2))

        yield "search in " + name, folds
    yield (
        "search in given folds",
        lambda: search(
            "GridSearchCV", {"C": [1]}, cv=[(np.arange(30), np.arange(30, 60)), (np.arange(30, 60), np.arange(30))]
        ),
    )
    yield (
        "threshold",
        lambda: get(
            "sklearn.model_selection.TunedThresholdClassifierCV",
            logistic(),
            scoring=get("sklearn.metrics.make_scorer", find("sklearn.metrics.f1_score"), pos_label=0),
        ).fit(X, Y),
    )
