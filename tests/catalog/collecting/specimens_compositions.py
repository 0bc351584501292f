"""Models as people compose them of scikit-learn, SciPy, pandas and the boosters: searches, pipelines, columns, texts.

`specimens()` yields (name, how to make it). What this version does not have is passed over by its ImportError or
TypeError. Runs on Python 3.7 to the newest. The names, dates and tables are those of the libraries' own examples.
"""

import datetime
import functools
import importlib
import operator
import re

import numpy as np

try:
    import specimens_searches
    from specimens_searches import chain, find, get, logistic, search
    from specimens_sklearn import TEXTS, T, X, Y
except ImportError:
    from . import specimens_searches
    from .specimens_searches import chain, find, get, logistic, search
    from .specimens_sklearn import TEXTS, T, X, Y

CLASSES = np.arange(60) % 3


def table():
    """A DataFrame with columns of numbers, text, categories, dates, periods and intervals."""
    import pandas as pd

    days = pd.date_range("2020-01-01", periods=60)
    return pd.DataFrame(
        {
            "n": X[:, 0],
            "m": X[:, 1],
            "w": np.array(["a", "b", "c"])[CLASSES],
            "c": pd.Categorical(np.array(["x", "y", "z"])[CLASSES]),
            "d": days,
            "z": days.tz_localize("Europe/Berlin"),
            "p": pd.period_range("2020-01", periods=3, freq="M").repeat(20),
            "i": pd.cut(X[:, 2], 3),
            "b": CLASSES > 0,
            "o": pd.array(CLASSES, dtype="Int64"),
        }
    )


def specimens():
    """(name, how to make it) of all."""
    for part in (
        specimens_searches.specimens,
        _functions,
        _columns,
        _texts,
        _neighbours,
        _ensembles,
        _dates,
        _boosters,
    ):
        yield from part()


def _functions():
    def function(what, **options):
        transformer = get("sklearn.preprocessing.FunctionTransformer", what, **options)
        return chain(transformer, logistic()).fit(X, Y)

    for name in (
        "log1p",
        "log",
        "sqrt",
        "abs",
        "square",
        "exp",
        "sin",
        "clip",
        "nan_to_num",
        "asarray",
        "tanh",
        "cbrt",
    ):
        options = {"kw_args": {"a_min": 0.0, "a_max": 1.0}} if name == "clip" else {}
        yield "function " + name, lambda name=name, options=options: function(getattr(np, name), **options)
    yield "function partial", lambda: function(functools.partial(np.clip, a_min=0, a_max=1))
    yield "function with inverse", lambda: function(np.log1p, inverse_func=np.expm1, feature_names_out="one-to-one")
    yield "function items", lambda: function(operator.itemgetter(slice(None)))
    for name in ("normalize", "scale", "minmax_scale", "maxabs_scale", "robust_scale", "binarize"):
        yield "function " + name, lambda name=name: function(find("sklearn.preprocessing." + name))
    yield "function expit", lambda: function(find("scipy.special.expit"))
    for there, back in ((np.log1p, np.expm1), (np.log, np.exp), (np.sqrt, np.square)):
        yield (
            "target " + there.__name__,
            lambda there=there, back=back: get(
                "sklearn.compose.TransformedTargetRegressor",
                get("sklearn.linear_model.Ridge"),
                func=there,
                inverse_func=back,
            ).fit(X, T),
        )
    yield (
        "target transformer",
        lambda: get(
            "sklearn.compose.TransformedTargetRegressor",
            get("sklearn.linear_model.Ridge"),
            transformer=get("sklearn.preprocessing.QuantileTransformer", n_quantiles=10, output_distribution="normal"),
        ).fit(X, T),
    )
    for score in ("f_classif", "chi2", "mutual_info_classif"):
        yield (
            "select " + score,
            lambda score=score: chain(
                get("sklearn.feature_selection.SelectKBest", find("sklearn.feature_selection." + score), k=2),
                logistic(),
            ).fit(X, Y),
        )
    yield (
        "select partial",
        lambda: chain(
            get(
                "sklearn.feature_selection.SelectKBest",
                functools.partial(find("sklearn.feature_selection.mutual_info_classif"), random_state=0),
                k=2,
            ),
            logistic(),
        ).fit(X, Y),
    )
    yield (
        "select from a model",
        lambda: chain(get("sklearn.feature_selection.SelectFromModel", logistic(), threshold="median"), logistic()).fit(
            X, Y
        ),
    )


def _columns():
    def columns(*steps, **options):
        return chain(get("sklearn.compose.ColumnTransformer", list(steps), **options), logistic()).fit(table(), Y)

    def scaler():
        return get("sklearn.preprocessing.StandardScaler")

    def one_hot(**options):
        return get("sklearn.preprocessing.OneHotEncoder", handle_unknown="ignore", **options)

    for name, options in {
        "number": {"dtype_include": np.number},
        "float": {"dtype_include": "float64"},
        "not objects": {"dtype_exclude": [object, "category", "datetime", "datetimetz", bool]},
        "pattern": {"pattern": "^[nm]$"},
        "compiled": {"pattern": re.compile("n|m")},
    }.items():
        yield (
            "selector " + name,
            lambda options=options: columns(
                ("a", scaler() if options.get("dtype_include") else one_hot(),
                 get("sklearn.compose.make_column_selector", **options)),
            ),
        )  # fmt: skip
    for column in "wczpdibo":
        yield "one-hot of " + column, lambda column=column: columns(("a", one_hot(), [column]), remainder="drop")
        yield (
            "ordinal of " + column,
            lambda column=column: columns(("a", get("sklearn.preprocessing.OrdinalEncoder"), [column])),
        )
    yield (
        "several columns",
        lambda: columns(
            ("n", chain(get("sklearn.impute.SimpleImputer", strategy="median"), scaler()), ["n", "m"]),
            (
                "c",
                chain(get("sklearn.impute.SimpleImputer", strategy="constant", fill_value="?"), one_hot()),
                ["w", "c"],
            ),
        ),
    )
    yield "target encoder", lambda: columns(("a", get("sklearn.preprocessing.TargetEncoder"), ["w", "c"]))
    yield "columns as pandas", lambda: chain(
        get("sklearn.compose.ColumnTransformer", [("a", scaler(), ["n", "m"])], verbose_feature_names_out=False)
        .set_output(transform="pandas"),
        logistic(),
    ).fit(table(), Y)  # fmt: skip
    for how in ([0], ["c"], "from_dtype"):
        yield (
            "histogram of " + str(how),
            lambda how=how: get(
                "sklearn.ensemble.HistGradientBoostingClassifier", max_iter=3, categorical_features=how
            ).fit(np.round(X * 3) if how == [0] else table()[["n", "m", "c"]], Y),
        )
    for scoring in ("loss", "accuracy", "r2"):
        yield (
            "histogram stopped by " + scoring,
            lambda scoring=scoring: get(
                "sklearn.ensemble.HistGradientBoosting" + ("Regressor" if scoring == "r2" else "Classifier"),
                max_iter=3,
                early_stopping=True,
                scoring=scoring,
            ).fit(X, Y),
        )
    yield (
        "histogram with constraints",
        lambda: get(
            "sklearn.ensemble.HistGradientBoostingRegressor", max_iter=3, monotonic_cst=[1, 0, 0, -1],
            interaction_cst=[{0, 1}, {2, 3}], loss="quantile", quantile=0.9,
        ).fit(X, T),
    )  # fmt: skip
    yield (
        "iterative imputer",
        lambda: (
            importlib.import_module("sklearn.experimental.enable_iterative_imputer")
            and chain(get("sklearn.impute.IterativeImputer", max_iter=2, random_state=0), logistic()).fit(
                np.where(X < 0.1, np.nan, X), Y
            )
        ),
    )


def _texts():
    def texts(vectorizer, **options):
        return chain(get("sklearn.feature_extraction.text." + vectorizer, **options), logistic()).fit(TEXTS, Y)

    for options in ({}, {"stop_words": "english"}, {"stop_words": ["a", "no"]}, {"ngram_range": (1, 2), "min_df": 2},
                    {"tokenizer": str.split, "token_pattern": None}, {"preprocessor": str.lower},
                    {"analyzer": "char_wb", "sublinear_tf": True}, {"dtype": np.float32}):  # fmt: skip
        yield "tfidf {}".format(options), lambda options=options: texts("TfidfVectorizer", **options)
    yield "counts", lambda: texts("CountVectorizer", vocabulary=["day", "night"], strip_accents="unicode")
    yield "hashed", lambda: texts("HashingVectorizer", n_features=64)
    yield (
        "searched texts",
        lambda: get(
            "sklearn.model_selection.GridSearchCV",
            chain(get("sklearn.feature_extraction.text.TfidfVectorizer"), get("sklearn.naive_bayes.MultinomialNB")),
            {"multinomialnb__alpha": [0.1, 1]},
            cv=2,
        ).fit(TEXTS, Y),
    )


def _neighbours():
    for metric in (
        "cosine",
        "euclidean",
        "cityblock",
        "chebyshev",
        "braycurtis",
        "canberra",
        "correlation",
        "sqeuclidean",
    ):
        yield (
            "neighbours by " + metric,
            lambda metric=metric: get(
                "sklearn.neighbors.KNeighborsClassifier", metric=find("scipy.spatial.distance." + metric)
            ).fit(X, Y),
        )
    for metric in ("haversine_distances", "manhattan_distances"):
        yield (
            "clusters by " + metric,
            lambda metric=metric: get("sklearn.cluster.DBSCAN", metric=find("sklearn.metrics.pairwise." + metric)),
        )
    for kernel in ("RBF", "Matern", "RationalQuadratic", "DotProduct", "WhiteKernel"):
        yield (
            "process of " + kernel,
            lambda kernel=kernel: get(
                "sklearn.gaussian_process.GaussianProcessRegressor",
                get("sklearn.gaussian_process.kernels." + kernel) * 2.0
                + get("sklearn.gaussian_process.kernels.WhiteKernel"),
                optimizer=None,
            ).fit(X[:20], T[:20]),
        )
    for kernel in ("cosine_similarity", "chi2_kernel", "laplacian_kernel"):
        yield (
            "vectors by " + kernel,
            lambda kernel=kernel: get("sklearn.svm.SVC", kernel=find("sklearn.metrics.pairwise." + kernel)).fit(X, Y),
        )


def _ensembles():
    def pair():
        return [("a", logistic()), ("b", get("sklearn.ensemble.RandomForestClassifier", 3, random_state=0))]

    def calibrated(*arguments, **options):
        return get("sklearn.calibration.CalibratedClassifierCV", *arguments, cv=2, **options).fit(X, Y)

    yield "voting", lambda: get("sklearn.ensemble.VotingClassifier", pair(), voting="soft").fit(X, Y)
    yield "stacking", lambda: get("sklearn.ensemble.StackingClassifier", pair(), cv=2).fit(X, Y)
    yield "stacking, passed through", lambda: get(
        "sklearn.ensemble.StackingClassifier", pair(), final_estimator=get("sklearn.svm.SVC"), passthrough=True, cv=2
    ).fit(X, Y)  # fmt: skip
    for method in ("sigmoid", "isotonic"):
        yield "calibrated " + method, lambda method=method: calibrated(get("sklearn.svm.LinearSVC"), method=method)
    for base in ("AdaBoostClassifier", "BaggingClassifier"):
        yield (
            "ensemble " + base,
            lambda base=base: get("sklearn.ensemble." + base, logistic(), n_estimators=3).fit(X, Y),
        )
    yield (
        "several outputs",
        lambda: get("sklearn.multioutput.MultiOutputClassifier", logistic()).fit(X, np.stack([Y, 1 - Y], axis=1)),
    )
    yield (
        "chain of outputs",
        lambda: get("sklearn.multioutput.ClassifierChain", logistic()).fit(X, np.stack([Y, 1 - Y], axis=1)),
    )
    yield "one against the rest", lambda: get("sklearn.multiclass.OneVsRestClassifier", logistic()).fit(X, CLASSES)
    for labels in (np.array(["no", "yes"])[Y], np.array(["no", "yes"], dtype=object)[Y], Y.astype(bool), Y.tolist()):
        yield "labels {}".format(type(labels[0]).__name__), lambda labels=labels: logistic().fit(X, labels)
    yield "weights of classes", lambda: get(
        "sklearn.linear_model.LogisticRegression", class_weight={np.int64(0): 1, np.int64(1): 2.5}
    ).fit(X, Y)  # fmt: skip
    yield "features and union", lambda: chain(
        get("sklearn.pipeline.make_union", get("sklearn.decomposition.PCA", 2), get("sklearn.feature_selection.SelectKBest")
            .set_params(k=1)),
        logistic(),
    ).fit(X, Y)  # fmt: skip
    yield (
        "requests of metadata",
        lambda: chain(
            get("sklearn.preprocessing.StandardScaler"),
            _routed(logistic()),
        ).fit(X, Y),
    )


def _routed(model):
    with find("sklearn.config_context")(enable_metadata_routing=True):
        return model.set_fit_request(sample_weight=True)


def _dates():
    import pandas as pd

    def cycle(values):
        return get("sklearn.preprocessing.OneHotEncoder", categories=[values], handle_unknown="ignore")

    when = [
        ("timestamps", lambda: list(pd.date_range("2020-01-01", periods=2, tz="UTC"))),
        ("periods", lambda: list(pd.period_range("2020-01", periods=2, freq="Q"))),
        ("dates", lambda: [datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)]),
        ("times", lambda: [datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)]),
        ("spans", lambda: list(pd.to_timedelta([1, 2], unit="h"))),
    ]
    for name, values in when:
        yield "categories of " + name, lambda values=values: [cycle(np.array(values(), dtype=object)), cycle(values())]

    def filled(value):
        return get("sklearn.impute.SimpleImputer", strategy="constant", fill_value=value)

    yield (
        "fill values",
        lambda: [filled(pd.Timestamp("2020-01-01")), filled(pd.NA), filled(np.float32(1)), filled(None)],
    )


def _boosters():
    def stopped(*callbacks, **options):
        kinds = importlib.import_module("xgboost.callback")
        made = [getattr(kinds, name)(**given) for name, given in callbacks]
        return get("xgboost.XGBClassifier", n_estimators=3, callbacks=made or None, **options).fit(
            X, Y, eval_set=[(X, Y)], verbose=False
        )

    yield "xgboost, stopped", lambda: stopped(("EarlyStopping", {"rounds": 2}))
    yield (
        "xgboost, saving its best",
        lambda: stopped(("EarlyStopping", {"rounds": 2, "save_best": True, "min_delta": 1e-3})),
    )
    yield "xgboost, told", lambda: stopped(("EvaluationMonitor", {"period": 2}))
    yield "xgboost, rounds", lambda: stopped(early_stopping_rounds=2, eval_metric=["logloss", "auc"])
    yield "xgboost by a metric", lambda: stopped(early_stopping_rounds=2, eval_metric=find("sklearn.metrics.log_loss"))
    for name in ("xgboost.XGBClassifier", "lightgbm.LGBMClassifier"):
        for kind, distribution in (("float", "uniform"), ("int", "randint")):

            def searched(name=name, kind=kind, distribution=distribution):
                space = {"max_depth": get("scipy.stats.randint", 1, 4)} if kind == "int" else {}
                space["learning_rate"] = get("scipy.stats.loguniform", 0.01, 0.1)
                return search("RandomizedSearchCV", space, get(name, n_estimators=2))

            yield "search of {} {}".format(name, kind), searched
        yield (
            "{} of categories".format(name),
            lambda name=name: get(name, n_estimators=2, **({"enable_categorical": True} if "xgb" in name else {})).fit(
                table()[["n", "c"]], Y
            ),
        )
    yield (
        "lightgbm, stopped",
        lambda: get("lightgbm.LGBMClassifier", n_estimators=3, verbose=-1).fit(
            X, Y, eval_set=[(X, Y)], eval_metric="auc", callbacks=[get("lightgbm.early_stopping", 1, verbose=False)]
        ),
    )
    yield "lightgbm in a pipeline", lambda: chain(
        get("sklearn.preprocessing.StandardScaler"), get("lightgbm.LGBMRegressor", n_estimators=2, verbose=-1)
    ).fit(X, T)  # fmt: skip

    def cat(**options):
        return get("catboost.CatBoostClassifier", iterations=2, verbose=False, allow_writing_files=False, **options)

    yield "catboost in a pipeline", lambda: chain(get("sklearn.preprocessing.StandardScaler"), cat()).fit(X, Y)
    yield "catboost by a metric", lambda: cat(eval_metric="AUC", custom_loss=["F1"]).fit(X, Y, eval_set=(X, Y))
    yield (
        "catboost in a vote",
        lambda: get("sklearn.ensemble.VotingClassifier", [("a", cat()), ("b", logistic())]).fit(X, Y),
    )
    yield "search of a sampler", lambda: search(
        "GridSearchCV", {"smote__k_neighbors": [2, 3]},
        get("imblearn.pipeline.make_pipeline", get("imblearn.over_sampling.SMOTE"), logistic()),
    )  # fmt: skip
    yield "bagging of a sampler", lambda: get(
        "imblearn.ensemble.BalancedBaggingClassifier", sampler=get("imblearn.over_sampling.SMOTE"), n_estimators=2
    ).fit(X, Y)  # fmt: skip
    yield "imblearn by its metric", lambda: search(
        "GridSearchCV", {"C": [1]},
        scoring=get("sklearn.metrics.make_scorer", find("imblearn.metrics.geometric_mean_score")),
    )  # fmt: skip
