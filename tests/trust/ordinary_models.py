"""Train ordinary models of the installed libraries, each into its own directory: `python ordinary_models.py FOLDER`.

FOLDER/NAME/model.joblib or model.pkl, and FOLDER/NAME.json with the instances and what the model answers to them. Runs
on Python 3.8 to the newest, with whatever of scikit-learn, XGBoost, LightGBM, CatBoost and imbalanced-learn is there.
"""

import importlib
import json
import os
import pickle
import sys
import warnings

import joblib
import numpy
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_hist_gradient_boosting  # noqa: F401 - before scikit-learn 1.0

from sklearn.ensemble import HistGradientBoostingClassifier  # isort: skip
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

warnings.simplefilter("ignore")
rows = numpy.array([[i, i % 3, (i * 7) % 5, (i * i) % 11] for i in range(60)], dtype=float)
labels = (rows[:, 0] > 29).astype(int)
words = ["good day", "bad day", "good work", "bad work"] * 15
made = {
    "logistic": LogisticRegression().fit(rows, labels),
    "forest": RandomForestClassifier(8).fit(rows, labels),
    "gradient": GradientBoostingClassifier(n_estimators=4).fit(rows, labels),
    "histogram": HistGradientBoostingClassifier(max_iter=4).fit(rows, labels),
    "neighbors": KNeighborsClassifier(metric="manhattan").fit(rows, labels),
    "svc": SVC(probability=False).fit(rows, labels),
    "network": MLPClassifier((4,), max_iter=20).fit(rows, labels),
    "process": GaussianProcessClassifier().fit(rows[::4], labels[::4]),
    "sgd": SGDClassifier().fit(rows, labels),
    "calibrated": CalibratedClassifierCV(GaussianNB(), cv=2).fit(rows, labels),
    "columns": make_pipeline(
        ColumnTransformer([("a", StandardScaler(), [0, 3]), ("b", OneHotEncoder(), [1])]), LogisticRegression()
    ).fit(rows, labels),
    "log": make_pipeline(FunctionTransformer(numpy.log1p), PCA(2), LogisticRegression()).fit(rows, labels),
    "target": TransformedTargetRegressor(Ridge(), func=numpy.log1p, inverse_func=numpy.expm1).fit(rows, labels),
    "search": GridSearchCV(
        make_pipeline(SelectKBest(k=2), DecisionTreeClassifier()), {"selectkbest__k": [1, 2]},
        scoring=make_scorer(f1_score), cv=2,
    ).fit(rows, labels),
    "stack": StackingClassifier([("a", GaussianNB()), ("b", DecisionTreeClassifier())], cv=2).fit(rows, labels),
    "vote": VotingClassifier([("a", GaussianNB()), ("b", DecisionTreeClassifier())], voting="soft").fit(rows, labels),
}  # fmt: skip


def more(module: str, name: str, *arguments: object, **options: object) -> object:
    try:
        return getattr(importlib.import_module(module), name)(*arguments, **options)
    except ImportError:
        return None


for key, estimator in {
    "xgboost": more("xgboost", "XGBClassifier", n_estimators=4),
    "lightgbm": more("lightgbm", "LGBMClassifier", n_estimators=4, min_child_samples=2, verbose=-1),
    "catboost": more("catboost", "CatBoostClassifier", iterations=4, verbose=0, allow_writing_files=False),
    "balanced": more("imblearn.ensemble", "BalancedRandomForestClassifier", n_estimators=4),
}.items():
    if estimator is not None:
        made[key] = make_pipeline(StandardScaler(), estimator).fit(rows, labels)
smote = more("imblearn.over_sampling", "SMOTE")
if smote is not None:
    pipeline = importlib.import_module("imblearn.pipeline").make_pipeline
    sampled = pipeline(smote, LogisticRegression())  # the service accepts only a pipeline of scikit-learn
    made["smote"] = make_pipeline(StandardScaler(), sampled).fit(rows, numpy.append(labels[:40], [0] * 20))
made["text"] = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(words, [1, 0] * 30)

folder = sys.argv[1]
for number, (key, model) in enumerate(made.items()):
    directory = os.path.join(folder, key)
    os.makedirs(directory)
    if number % 3 == 0:
        with open(os.path.join(directory, "model.pkl"), "wb") as file:
            pickle.dump(model, file, protocol=(2, 3, 4)[number % 9 // 3])
    else:
        joblib.dump(model, os.path.join(directory, "model.joblib"), compress=3 if number % 3 == 2 else 0)
    instances = words[:4] if key == "text" else rows[:20].tolist()
    answer = model.predict(instances)
    with open(os.path.join(folder, key + ".json"), "w") as file:
        json.dump({"instances": instances, "predictions": numpy.asarray(answer).tolist()}, file)
