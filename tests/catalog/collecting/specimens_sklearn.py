"""Fitted models of scikit-learn: each of its estimators, and those whose options change what is pickled.

`specimens()` yields (name, how to make it). What this version does not have is passed over by its ImportError or
TypeError. Runs on Python 3.7 to the newest.
"""

import inspect

import numpy as np

VARIANT = "with an option: "
RANDOM = np.random.RandomState(0)
X = np.abs(RANDOM.rand(60, 4)) + 0.01
Y = (X[:, 0] + X[:, 1] > 1).astype(int)
T = X[:, 0] * 3 + 1
TEXTS = ["one fine day", "another day", "a fine night", "no night at all", "days and nights", "what a day"] * 10


def frame():
    """A DataFrame with columns of numbers, text and categories."""
    import pandas as pd

    words = np.array(["a", "b", "c"])[RANDOM.randint(0, 3, 60)]
    return pd.DataFrame({"n": X[:, 0], "m": X[:, 1], "w": words, "c": pd.Categorical(words)})


def everything():
    """(name, class) of all estimators of this version."""
    try:
        from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401
    except ImportError:
        pass
    try:
        from sklearn.experimental import enable_hist_gradient_boosting  # noqa: F401
    except ImportError:
        pass
    try:
        from sklearn.utils import all_estimators
    except ImportError:
        from sklearn.utils.testing import all_estimators
    return all_estimators()


def fitted(name, cls, option=False):
    """An estimator of the class, fitted to whatever it takes. One with an option is of no interest unless it is fitted."""
    from sklearn.linear_model import LinearRegression, LogisticRegression

    required = inspect.signature(cls.__init__).parameters
    simple = LogisticRegression() if "Classifier" in name or "Search" in name else LinearRegression()
    given = {"n_estimators": 3} if "n_estimators" in required else {}
    if name.startswith(("HistGradientBoosting", "MLP")):
        given["max_iter"] = 5
    for word in required:
        if word in ("estimator", "base_estimator") and required[word].default is inspect.Parameter.empty:
            given[word] = simple
        elif word == "estimators":
            given[word] = [("a", simple), ("b", simple)]
        elif word == "transformers":
            from sklearn.preprocessing import StandardScaler

            given[word] = [("a", StandardScaler(), [0, 1])]
        elif word == "transformer_list":
            from sklearn.preprocessing import StandardScaler

            given[word] = [("a", StandardScaler())]
        elif word == "steps":
            given[word] = [("a", simple)]
        elif word in ("param_grid", "param_distributions"):
            given[word] = {"C": [0.1, 1.0]}
        elif word == "dictionary":
            given[word] = X[:4]
    if name == "RFE" or name == "RFECV" or name == "SelectFromModel" or name == "SequentialFeatureSelector":
        given["estimator"] = LogisticRegression()
    if name in (
        "TunedThresholdClassifierCV",
        "FixedThresholdClassifier",
        "SelfTrainingClassifier",
        "ClassifierChain",
        "MultiOutputClassifier",
    ):
        given = {next(word for word in required if word in ("estimator", "base_estimator")): LogisticRegression()}
    model = cls(**given)
    multi = np.stack([Y, 1 - Y], axis=1)
    failures = []
    for arguments in ((X, Y), (X, T), (X,), (X, multi), (TEXTS, Y), ([{"a": 1}, {"b": 2.0}],), (T, T), (X @ X.T,)):
        try:
            return model.fit(*arguments)
        except Exception as error:  # noqa: BLE001 - the next data may fit
            failures.append(error)
            if option and type(error).__name__ == "InvalidParameterError":
                break
    if option:
        raise failures[0]
    print("not fitted:", name, repr(failures[0])[:150])
    return model


def _search(cls, estimator, grid, **options):
    return lambda: cls(estimator, grid, cv=2, **options).fit(X, Y)


def specimens():
    """(name, how to make it) of models with options."""
    for name, cls in everything():
        yield name, lambda name=name, cls=cls: fitted(name, cls)
        for option, values in OPTIONS.items():
            if option in inspect.signature(cls.__init__).parameters:
                for value in values:
                    label = "{}{}({}={!r})".format(VARIANT, name, option, value)
                    yield label, lambda cls=cls, name=name, o=option, v=value: fitted(name, _with(cls, o, v), True)
    yield from _composed()
    yield from _kernels()
    yield from _metrics()
    yield from _splitters()


# Each of these is tried where an estimator has the option.
OPTIONS = {
    "random_state": [7],
    "loss": ["huber", "log_loss", "log", "squared_error", "ls", "hinge", "modified_huber", "poisson", "gamma",
             "quantile", "absolute_error", "lad", "exponential", "squared_hinge", "epsilon_insensitive", "deviance"],
    "init": ["zero"],
    "algorithm": ["kd_tree", "ball_tree", "brute", "elkan"],
    "metric": ["manhattan", "cosine", "haversine", "chebyshev"],
    "solver": ["lbfgs", "sgd", "adam", "saga", "sag", "newton-cg", "svd", "eigen"],
    "criterion": ["entropy", "friedman_mse", "absolute_error", "mae", "poisson", "squared_error"],
    "splitter": ["random"],
    "weights": ["distance"],
    "early_stopping": [True],
    "probability": [True],
    "strategy": ["most_frequent", "constant", "stratified", "uniform", "kmeans"],
    "learning_rate": ["adaptive", "invscaling"],
    "fit_inverse_transform": [True],
    "add_indicator": [True],
    "oob_score": [True],
    "warm_start": [True],
    "gen_min_span_tree": [True],
    "cv": [2],
    "encode": ["ordinal", "onehot-dense"],
    "monotonic_cst": [[1, 0, 0, -1]],
}  # fmt: skip


def _with(cls, option, value):
    def make(**given):
        given[option] = value
        return cls(**given)

    make.__init__ = cls.__init__  # its signature is asked for
    return make


def _composed():
    from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
    from sklearn.decomposition import PCA
    from sklearn.ensemble import RandomForestClassifier, VotingClassifier
    from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
    from sklearn.metrics import accuracy_score, f1_score, fbeta_score, make_scorer, mean_squared_error, roc_auc_score
    from sklearn.model_selection import GridSearchCV, KFold, RandomizedSearchCV
    from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler, normalize
    from sklearn.svm import SVC

    def pipe():
        return Pipeline([("s", StandardScaler()), ("u", FeatureUnion([("p", PCA(2))])), ("c", LogisticRegression())])

    yield "pipeline", lambda: pipe().fit(X, Y)
    yield "pipeline passthrough", lambda: Pipeline([("s", "passthrough"), ("c", LogisticRegression())]).fit(X, Y)
    yield (
        "column transformer",
        lambda: make_pipeline(
            ColumnTransformer([("n", StandardScaler(), frame().columns[:2]), ("w", OneHotEncoder(), ["w"])]),
            LogisticRegression(),
        ).fit(frame(), Y),
    )

    def remainder():
        made = ColumnTransformer([("n", StandardScaler(), slice(0, 2))], remainder="passthrough", verbose=True)
        return made.fit(X)

    yield "column transformer, rest", remainder

    def selecting(how):
        import pandas as pd
        from sklearn.compose import make_column_selector

        kinds = {
            "number": np.number,
            "text": "number",
            "object": object,
            "several": [np.number, "category", object, int, float, bool],
            "category": pd.CategoricalDtype,
            "pattern": None,
        }
        which = (
            make_column_selector(pattern="n|m") if how == "pattern" else make_column_selector(dtype_include=kinds[how])
        )
        return ColumnTransformer([("n", OneHotEncoder(handle_unknown="ignore"), which)]).fit(frame())

    for how in ("number", "text", "object", "several", "category", "pattern"):
        yield "column selector " + how, lambda how=how: selecting(how)

    def as_pandas():
        return make_pipeline(StandardScaler(), PCA(2)).set_output(transform="pandas").fit(X)

    yield "set_output", as_pandas

    for scoring in ("accuracy", "roc_auc", "neg_mean_squared_error", "f1_macro", "neg_log_loss", ["accuracy", "f1"]):
        options = {"refit": "f1"} if isinstance(scoring, list) else {}
        yield (
            "grid " + str(scoring),
            _search(GridSearchCV, LogisticRegression(), {"C": [0.1, 1]}, scoring=scoring, **options),
        )
    for metric in (accuracy_score, f1_score, mean_squared_error):
        yield (
            "grid " + metric.__name__,
            _search(
                GridSearchCV,
                LogisticRegression(),
                {"C": [0.1, 1]},
                scoring=make_scorer(metric, greater_is_better=False),
            ),
        )
    yield (
        "grid fbeta",
        _search(GridSearchCV, LogisticRegression(), {"C": [1]}, scoring=make_scorer(fbeta_score, beta=2)),
    )
    for options in ({"needs_proba": True}, {"needs_threshold": True}, {"response_method": "predict_proba"}):
        yield (
            "grid {}".format(options),
            lambda options=options: GridSearchCV(
                LogisticRegression(), {"C": [1]}, cv=2, scoring=make_scorer(roc_auc_score, **options)
            ).fit(X, Y),
        )
    yield (
        "grid dict",
        _search(GridSearchCV, pipe(), {"c__C": [1], "c": [LogisticRegression()]}, scoring={"a": "accuracy"}, refit="a"),
    )
    yield "grid folds", lambda: GridSearchCV(LogisticRegression(), {"C": [1]}, cv=KFold(2, shuffle=True)).fit(X, Y)

    def random_search(name, *arguments):
        import scipy.stats

        return RandomizedSearchCV(
            LogisticRegression(), {"C": getattr(scipy.stats, name)(*arguments)}, n_iter=2, cv=2, random_state=1
        ).fit(X, Y)

    for name, arguments in {
        "uniform": (0.1, 2), "loguniform": (0.1, 2), "reciprocal": (0.1, 2), "expon": (0.1,), "randint": (1, 9),
        "norm": (5, 0.1), "gamma": (2,), "beta": (1, 2),
    }.items():  # fmt: skip
        yield "random search " + name, lambda name=name, arguments=arguments: random_search(name, *arguments)
    for generator in (np.random.RandomState(3), np.random.mtrand._rand):
        yield (
            "forest {}".format(generator),
            lambda generator=generator: RandomForestClassifier(3, random_state=generator).fit(X, Y),
        )

    yield (
        "voting",
        lambda: VotingClassifier(
            [("a", LogisticRegression()), ("b", RandomForestClassifier(2)), ("c", SVC(probability=True))], voting="soft"
        ).fit(X, Y),
    )

    def stacking(method):
        from sklearn.ensemble import StackingClassifier, StackingRegressor

        if method == "regressor":
            return StackingRegressor([("a", Ridge()), ("b", LinearRegression())], passthrough=True).fit(X, T)
        return StackingClassifier(
            [("a", LogisticRegression()), ("b", RandomForestClassifier(2))], stack_method=method, cv=2
        ).fit(X, Y)

    for method in ("auto", "predict", "predict_proba", "regressor"):
        yield "stacking " + method, lambda method=method: stacking(method)

    def calibrated(method, **options):
        from sklearn.calibration import CalibratedClassifierCV

        return CalibratedClassifierCV(SVC(), method=method, cv=2, **options).fit(X, Y)

    for method in ("sigmoid", "isotonic", "temperature"):
        yield "calibrated " + method, lambda method=method: calibrated(method)
    yield "calibrated not ensemble", lambda: calibrated("sigmoid", ensemble=False)

    def frozen():
        from sklearn.frozen import FrozenEstimator

        return FrozenEstimator(LogisticRegression().fit(X, Y)).fit(X, Y)

    yield "frozen", frozen

    for pair in ((np.log1p, np.expm1), (np.log, np.exp), (np.sqrt, np.square)):
        yield (
            "target {}".format(pair),
            lambda pair=pair: TransformedTargetRegressor(LinearRegression(), func=pair[0], inverse_func=pair[1]).fit(
                X, T
            ),
        )

    import scipy.special

    for function in (np.log1p, np.log, np.log2, np.log10, np.sqrt, np.cbrt, np.abs, np.sin, np.cos, np.tanh, np.square,
                     np.exp, np.expm1, np.clip, np.nan_to_num, np.ravel, np.asarray, np.array, np.sign, np.reciprocal,
                     np.negative, np.rint, np.round, np.log1p, np.floor, np.ceil, np.squeeze, np.transpose,
                     np.atleast_2d, np.mean, np.isnan, scipy.special.expit, scipy.special.logit, scipy.special.boxcox1p,
                     normalize):  # fmt: skip
        yield (
            "function {}".format(function.__name__),
            lambda function=function: FunctionTransformer(function, validate=False).fit(X),
        )
    yield "function clip", lambda: FunctionTransformer(np.clip, kw_args={"a_min": 0, "a_max": 1}).fit(X)
    for word, value in (("feature_names_out", "one-to-one"), ("accept_sparse", True), ("check_inverse", False)):
        yield "function " + word, lambda word=word, value=value: FunctionTransformer(np.log1p, **{word: value}).fit(X)

    def partly():
        import functools

        return FunctionTransformer(functools.partial(np.clip, a_min=0, a_max=1)).fit(X)

    yield "function partial", partly

    def histogram(kind, **options):
        from sklearn import ensemble

        data = frame()[["n", "m", "c"]] if kind == "names" else X
        return ensemble.HistGradientBoostingClassifier(max_iter=3, **options).fit(data, Y)

    yield "histogram", lambda: histogram("array", early_stopping=True, scoring="accuracy")
    yield "histogram loss", lambda: histogram("array", early_stopping=True, n_iter_no_change=2)
    yield "histogram categories by number", lambda: histogram("array", categorical_features=[0])
    yield "histogram categories by name", lambda: histogram("names", categorical_features=["c"])
    yield "histogram categories by type", lambda: histogram("names", categorical_features="from_dtype")
    yield "histogram mask", lambda: histogram("array", categorical_features=np.array([True, False, False, False]))

    from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
    from sklearn.linear_model import SGDClassifier

    for vectorizer in (TfidfVectorizer(stop_words="english", ngram_range=(1, 2)), CountVectorizer(dtype=np.float32),
                       HashingVectorizer(), CountVectorizer(analyzer="char_wb"), TfidfVectorizer(tokenizer=str.split),
                       TfidfVectorizer(preprocessor=str.lower), TfidfVectorizer(dtype=float)):  # fmt: skip
        yield (
            "text {}".format(type(vectorizer).__name__),
            lambda vectorizer=vectorizer: make_pipeline(vectorizer, SGDClassifier()).fit(TEXTS, Y),
        )

    from sklearn.neighbors import BallTree, KDTree, KNeighborsClassifier, KNeighborsRegressor

    yield "KDTree", lambda: KDTree(X)
    yield "BallTree", lambda: BallTree(X, metric="minkowski", p=3)
    for metric in ("minkowski", "seuclidean", "mahalanobis", "hamming", "canberra", "braycurtis", "jaccard"):
        extra = {"seuclidean": {"V": X.var(axis=0)}, "mahalanobis": {"VI": np.eye(4)}}.get(metric)
        yield (
            "neighbours " + metric,
            lambda metric=metric, extra=extra: KNeighborsClassifier(
                metric=metric, metric_params=extra, algorithm="auto" if metric == "jaccard" else "ball_tree"
            ).fit(X > 0.5 if metric == "jaccard" else X, Y),
        )
    import scipy.sparse
    import scipy.spatial.distance

    for metric in ("cosine", "euclidean", "cityblock", "correlation", "jaccard"):
        yield (
            "neighbours scipy " + metric,
            lambda metric=metric: KNeighborsRegressor(metric=getattr(scipy.spatial.distance, metric)).fit(X, T),
        )
    yield "neighbours sparse", lambda: KNeighborsClassifier().fit(scipy.sparse.csr_matrix(X), Y)

    from sklearn.preprocessing import OrdinalEncoder

    def types():
        return OrdinalEncoder(categories=[frame()["w"].unique()], dtype=np.int64).fit(frame()[["w"]])

    yield "encoder of categories", types
    yield "encoder of a frame", lambda: OneHotEncoder().fit(frame()[["c", "w"]])
    yield "encoder of objects", lambda: OrdinalEncoder().fit(np.array([["a", 1], ["b", None]], dtype=object))

    from sklearn.feature_selection import SelectKBest, chi2, f_classif, f_regression, mutual_info_classif

    for function in (chi2, f_classif, f_regression, mutual_info_classif):
        yield "select " + function.__name__, lambda function=function: SelectKBest(function, k=2).fit(X, Y)


def _kernels():
    from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor, kernels
    from sklearn.kernel_approximation import Nystroem
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.metrics import pairwise
    from sklearn.svm import SVC

    for name in dir(kernels):
        cls = getattr(kernels, name)
        if not (inspect.isclass(cls) and issubclass(cls, kernels.Kernel)) or inspect.isabstract(cls):
            continue
        yield "kernel " + name, lambda cls=cls: GaussianProcessRegressor(cls()).fit(X, T)
    yield (
        "kernels",
        lambda: GaussianProcessRegressor(
            kernels.ConstantKernel() * kernels.RBF() + kernels.WhiteKernel() + kernels.DotProduct() ** 2, optimizer=None
        ).fit(X, T),
    )
    yield "compound kernel", lambda: GaussianProcessClassifier().fit(X, np.arange(60) % 3)
    for name in sorted(set(pairwise.PAIRWISE_KERNEL_FUNCTIONS)):
        function = pairwise.PAIRWISE_KERNEL_FUNCTIONS[name]
        yield "SVC " + name, lambda function=function: SVC(kernel=function).fit(X, Y)
        yield "kernel ridge " + name, lambda name=name: KernelRidge(kernel=name).fit(X, T)
        yield "nystroem " + name, lambda function=function: Nystroem(kernel=function).fit(X)


def _metrics():
    import sklearn.metrics as metrics
    from sklearn.metrics import pairwise

    for name in metrics.__all__:
        function = getattr(metrics, name)
        if inspect.isfunction(function) and name not in (
            "get_scorer",
            "get_scorer_names",
            "make_scorer",
            "check_scoring",
        ):
            if not name.startswith(("plot", "check")):
                yield "metric " + name, lambda function=function: [function, metrics.make_scorer(function)]
    for name, function in pairwise.PAIRWISE_DISTANCE_FUNCTIONS.items():
        yield "distance " + str(name), lambda function=function: [function]
    scorers = getattr(metrics, "SCORERS", None) or {
        name: metrics.get_scorer(name) for name in metrics.get_scorer_names()
    }
    for name in scorers:
        yield "scorer " + name, lambda name=name: scorers[name]


def _splitters():
    import sklearn.model_selection as selection

    for name in dir(selection):
        cls = getattr(selection, name)
        if inspect.isclass(cls) and hasattr(cls, "split"):
            for arguments in ((), (2,), ([0, 1, 0, 1],)):
                yield "splitter {}{}".format(name, arguments), lambda cls=cls, arguments=arguments: cls(*arguments)
