"""A booster that early stopping ended: told before the deploy, and its fix gives what the classifier predicts."""

from __future__ import annotations

import os
import pathlib

import joblib
import numpy as np
import pytest
import xgboost
from rule_cases_estimators import X, Y, early_stopped, saved, trained

from aip_magics.prediction.worker import load

# XGBoost does not know the name that the service wants, and guesses the format right.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*Unknown file format"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def served(folder):
    """What a worker predicts with the model of a directory."""
    model = load.open_model({"model_dir": str(folder)})
    return np.array(model.postprocess(model.run(model.preprocess(X[:9].tolist(), {}), {})))


def follow(finding, **names):
    line = finding.fix.rpartition(": ")[2]
    exec(line, {"xgboost": xgboost, "pathlib": pathlib, "joblib": joblib, "os": os, **names})


def multi(**options):
    model = xgboost.XGBClassifier(n_estimators=60, early_stopping_rounds=3, n_jobs=1, **options)
    classes = np.random.RandomState(3).randint(0, 3, 80)
    return model.fit(X[:40], classes[:40], eval_set=[(X[40:], classes[40:])], verbose=False)


MODELS = {
    "two classes": early_stopped,
    "three classes": multi,
    "several trees in a round": lambda: multi(num_parallel_tree=2),
    "dart": lambda: early_stopped(booster="dart"),
}


@pytest.mark.parametrize("format", ["ubj", "json"])
@pytest.mark.parametrize("name", MODELS)
def test_early_stopped_booster_predicts_as_its_classifier_when_the_fix_is_followed(deployment, found, name, format):
    model = MODELS[name]()
    right = model.predict_proba(X[:9])
    right = right[:, 1] if right.shape[1] == 2 else right
    context = saved(deployment, model, format)
    folder = context.model_dir.path
    assert context.model_dir.contents.booster.rounds == model.get_booster().num_boosted_rounds()
    assert context.model_dir.contents.booster.best_iteration == model.best_iteration
    assert not np.allclose(served(folder), right)
    (finding,) = found(context, "A33")
    assert finding.severity == "warning"
    follow(finding)
    assert np.allclose(served(folder), right)
    assert found(deployment(folder), "A33") == []


def test_early_stopped_regressor(deployment, found):
    model = early_stopped("XGBRegressor")
    context = saved(deployment, model)
    (finding,) = found(context, "A33")
    follow(finding)
    assert np.allclose(served(context.model_dir.path), model.predict(X[:9]))
    assert found(context, "A34") == []  # the booster predicts what it does


def test_classifier_predicts_classes_when_the_fix_is_followed(deployment, found):
    model = early_stopped()
    context = saved(deployment, model)
    (finding,) = found(context, "A34")
    assert finding.severity == "advice"
    assert served(context.model_dir.path).dtype.kind == "f"
    follow(finding, clf=model)
    assert served(context.model_dir.path).tolist() == model.predict(X[:9]).tolist()
    assert found(deployment(context.model_dir.path), "A34") == []


@pytest.mark.parametrize("format", ["ubj", "json"])
def test_boosters_of_which_nothing_is_to_be_said(deployment, found, format):
    best = early_stopped(callbacks=[xgboost.callback.EarlyStopping(rounds=5, save_best=True)])
    whole = xgboost.XGBRegressor(n_estimators=3, n_jobs=1).fit(X, Y)
    linear = early_stopped("XGBRegressor", booster="gblinear")
    for model in (trained(), whole, linear, best.get_booster()[: best.best_iteration + 1]):
        context = saved(deployment, model, format)
        assert context.model_dir.contents.complete
        assert found(context, "A33") == []
        assert found(context, "A34") == []


def test_rounds_of_older_files_are_counted(deployment, found):
    """XGBoost 1 has no starts of rounds in its files, and the number of parallel trees only from 1.6 on."""
    import json

    context = saved(deployment, multi(num_parallel_tree=2), "json")
    path = context.model_dir.path / "model.bst"
    rounds = context.model_dir.contents.booster.rounds
    data = json.loads(path.read_text())
    del data["learner"]["gradient_booster"]["model"]["iteration_indptr"]
    path.write_text(json.dumps(data))
    assert deployment(path.parent).model_dir.contents.booster.rounds == rounds
    del data["learner"]["gradient_booster"]["model"]["gbtree_model_param"]["num_parallel_tree"]
    path.write_text(json.dumps(data))
    assert deployment(path.parent).model_dir.contents.booster.rounds is None
    best = int(data["learner"]["attributes"]["best_iteration"])
    data["learner"]["attributes"]["best_ntree_limit"] = str(2 * (best + 1))
    path.write_text(json.dumps(data))
    assert deployment(path.parent).model_dir.contents.booster.rounds == rounds
