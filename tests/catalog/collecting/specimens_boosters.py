"""Fitted models of XGBoost, LightGBM, CatBoost and imbalanced-learn. A library that is not there is passed over."""

import inspect

import numpy as np

try:
    from specimens_sklearn import T, X, Y, fitted, frame
except ImportError:
    from .specimens_sklearn import T, X, Y, fitted, frame

FEW = np.where(np.arange(60) % 4 == 0, 1, 0)  # an unbalanced target


def specimens():
    """(name, how to make it)."""
    for part in (_xgboost, _lightgbm, _catboost, _imblearn):
        try:
            yield from part()
        except (ImportError, NameError) as error:
            print("left out:", part.__name__, error)


def _xgboost():
    import xgboost

    for name in sorted(name for name in dir(xgboost) if name.startswith("XGB")):
        cls = getattr(xgboost, name)
        if inspect.isclass(cls):
            ranks = {"group": [30, 30]} if name == "XGBRanker" else {}
            yield name, lambda cls=cls, ranks=ranks: cls(n_estimators=2).fit(X, Y, **ranks)
            yield name + " unfitted", lambda cls=cls: cls(n_estimators=2, missing=np.nan, random_state=1)
    classifier = xgboost.XGBClassifier

    def stopping(**options):
        from xgboost.callback import EarlyStopping

        return classifier(n_estimators=3, callbacks=[EarlyStopping(2, save_best=True)], **options).fit(
            X, Y, eval_set=[(X, Y)], verbose=False
        )

    yield "early stopping", stopping
    yield (
        "early stopping rounds",
        lambda: classifier(n_estimators=3, early_stopping_rounds=2).fit(X, Y, eval_set=[(X, Y)], verbose=False),
    )

    def monitored():
        from xgboost.callback import EvaluationMonitor

        return classifier(n_estimators=2, callbacks=[EvaluationMonitor()]).fit(X, Y, eval_set=[(X, Y)], verbose=False)

    yield "callbacks", monitored
    for booster in ("gbtree", "gblinear", "dart"):
        yield "booster " + booster, lambda booster=booster: classifier(n_estimators=2, booster=booster).fit(X, Y)
    yield "names", lambda: classifier(n_estimators=2).fit(frame()[["n", "m"]], Y)
    yield (
        "categories",
        lambda: classifier(n_estimators=2, enable_categorical=True, tree_method="hist").fit(frame()[["n", "c"]], Y),
    )
    yield "classes", lambda: classifier(n_estimators=2).fit(X, np.arange(60) % 3)
    yield "Booster", lambda: xgboost.train({"max_depth": 2}, xgboost.DMatrix(X, Y), 2)
    from sklearn.metrics import mean_absolute_error

    yield (
        "metric",
        lambda: xgboost.XGBRegressor(n_estimators=2, eval_metric=mean_absolute_error).fit(
            X, T, eval_set=[(X, T)], verbose=False
        ),
    )


def _lightgbm():
    import lightgbm

    for name in ("LGBMClassifier", "LGBMRegressor", "LGBMRanker", "LGBMModel"):
        cls = getattr(lightgbm, name)
        options = {"objective": "regression"} if name == "LGBMModel" else {}
        ranks = {"group": [30, 30]} if name == "LGBMRanker" else {}
        yield (
            name,
            lambda cls=cls, options=options, ranks=ranks: cls(n_estimators=2, verbose=-1, **options).fit(X, Y, **ranks),
        )
        yield name + " unfitted", lambda cls=cls: cls()
    classifier = lightgbm.LGBMClassifier
    yield "lightgbm names", lambda: classifier(n_estimators=2, verbose=-1).fit(frame()[["n", "c"]], Y)
    yield (
        "lightgbm classes",
        lambda: classifier(n_estimators=2, verbose=-1, random_state=np.random.RandomState(1)).fit(
            X, np.arange(60) % 3, eval_set=[(X, np.arange(60) % 3)]
        ),
    )
    yield "lightgbm text classes", lambda: classifier(n_estimators=2, verbose=-1).fit(X, np.array(["a", "b"])[Y])
    yield (
        "lightgbm early",
        lambda: classifier(n_estimators=3, verbose=-1).fit(
            X, Y, eval_set=[(X, Y)], callbacks=[lightgbm.early_stopping(1)]
        ),
    )
    yield "lightgbm Booster", lambda: lightgbm.train({"verbose": -1}, lightgbm.Dataset(X, T), 2)
    yield "lightgbm Dataset", lambda: lightgbm.Dataset(X, T)
    yield "lightgbm early stopping", lambda: lightgbm.early_stopping(1)


def _catboost():
    import os
    import tempfile

    import catboost

    options = {"iterations": 2, "verbose": False, "train_dir": os.path.join(tempfile.gettempdir(), "catboost")}
    for name in ("CatBoost", "CatBoostClassifier", "CatBoostRegressor", "CatBoostRanker"):
        cls = getattr(catboost, name, None)
        if cls is None:
            continue
        given = {"group_id": np.arange(60) // 30} if name == "CatBoostRanker" else {}
        made = (lambda cls=cls: cls(options)) if name == "CatBoost" else (lambda cls=cls: cls(**options))
        yield name, lambda made=made, given=given: made().fit(X, Y, **given)
        yield name + " unfitted", made
    yield (
        "catboost names",
        lambda: catboost.CatBoostClassifier(cat_features=["w"], **options).fit(frame()[["n", "w"]], Y),
    )
    yield (
        "catboost multi",
        lambda: catboost.CatBoostClassifier(loss_function="MultiClass", **options).fit(
            X, np.arange(60) % 3, eval_set=(X, np.arange(60) % 3), early_stopping_rounds=1
        ),
    )
    yield "catboost Pool", lambda: catboost.Pool(X, Y)


def _imblearn():
    import imblearn.combine
    import imblearn.ensemble
    import imblearn.over_sampling
    import imblearn.under_sampling
    from imblearn import pipeline
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    found = {}
    for part in (imblearn.combine, imblearn.ensemble, imblearn.over_sampling, imblearn.under_sampling):
        found.update({name: getattr(part, name) for name in part.__all__})
    found["FunctionSampler"] = imblearn.FunctionSampler
    for name, cls in sorted(found.items()):
        if name in ("SMOTENC", "SMOTEN"):
            given = {"categorical_features": [0]} if name == "SMOTENC" else {}
            yield "imblearn " + name, lambda cls=cls, given=given: _resampled(cls(**given))
        elif hasattr(cls, "fit_resample"):
            yield "imblearn " + name, lambda cls=cls: _resampled(cls())
        else:
            yield "imblearn " + name, lambda name=name, cls=cls: fitted(name, cls)
    yield (
        "imblearn pipeline",
        lambda: pipeline.make_pipeline(StandardScaler(), imblearn.over_sampling.SMOTE(), LogisticRegression()).fit(
            X, FEW
        ),
    )
    yield (
        "imblearn strategy",
        lambda: _resampled(imblearn.over_sampling.RandomOverSampler(sampling_strategy={0: 45, 1: 30})),
    )
    yield "imblearn frame", lambda: _resampled(imblearn.under_sampling.RandomUnderSampler(), frame())
    from imblearn.metrics import geometric_mean_score, macro_averaged_mean_absolute_error

    yield "imblearn metrics", lambda: [geometric_mean_score, macro_averaged_mean_absolute_error]


def _resampled(sampler, data=X):
    try:
        sampler.fit_resample(data, FEW)
    except ValueError:
        sampler.fit_resample(np.where(data > 0.5, 1, 0), FEW)
    return sampler
