"""Rules about what a pickled estimator can do, seen in its class and its attributes, without loading it.

Only known classes are judged (catalog/estimators.json); custom code may load and use any object.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from aip_magics.artifacts import ModelDir
from aip_magics.artifacts.facts import PickledObject, PickleFacts
from aip_magics.catalog import estimators
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.model_facts import get_model_file, requires_pickle
from aip_magics.checks.outcome import Outcomes, Skipped
from aip_magics.checks.rule import error, rule
from aip_magics.i18n import gettext as _

_PIPELINES = ("sklearn.pipeline.Pipeline", "imblearn.pipeline.Pipeline")
_SEARCHES = "sklearn.model_selection._search"
_LOCAL_OUTLIERS = ".LocalOutlierFactor"
# It predicts with the estimator in it where it was not fitted itself.
_DELEGATE = "sklearn.model_selection._classification_threshold.FixedThresholdClassifier"
# Clusterers that only label what they were fitted on.
_LABELLERS = frozenset({"AgglomerativeClustering", "DBSCAN", "HDBSCAN", "OPTICS", "SpectralClustering"})
Fault = Literal["unfitted", "without-predict", "refit", "novelty"]


@dataclasses.dataclass(frozen=True)
class _Judged:
    """Why the model cannot predict: the object at fault, which is the model itself or a part of it."""

    fault: Fault
    name: str
    part: bool

    @property
    def short_name(self) -> str:
        return self.name.rpartition(".")[2]


@rule("A31", "unfitted-model", link=links.EXPORTING)
@requires_pickle
def unfitted_model(context: CheckContext, directory: ModelDir, facts: PickleFacts) -> Outcomes:
    """The model must be fitted: an estimator that was saved before fit has nothing to predict from.

    Of a pipeline, the last step is judged; only classes of scikit-learn, XGBoost, LightGBM and CatBoost are.
    """
    if context.is_custom:
        return Skipped(_("custom code loads the model"))
    judged = _judge(facts.root)
    if judged is None or judged.fault != "unfitted":
        return []
    file = get_model_file(directory)
    if judged.part:
        text = _("{file} contains a model whose {name} was not fitted", file=file, name=judged.short_name)
    else:
        text = _("{file} contains a {name} that was not fitted", file=file, name=judged.short_name)
    fix = _("fit the model before saving it: {line}", line=f"model.fit(X, y); {dump_line(directory)}")
    return [error(file, text, fix)]


@rule("A32", "model-without-predict", link=links.WRONG_OBJECT)
@requires_pickle
def model_without_predict(context: CheckContext, directory: ModelDir, facts: PickleFacts) -> Outcomes:
    """The model must have a predict method, which the service calls: a transformer or DBSCAN has none.

    Nor has a search with refit=False, or a LocalOutlierFactor with novelty=False. Only classes of scikit-learn are
    judged.
    """
    if context.is_custom:
        return Skipped(_("custom code loads the model"))
    judged = _judge(facts.root)
    if judged is None or judged.fault == "unfitted":
        return []
    file, name = get_model_file(directory), judged.short_name
    if judged.fault == "refit":
        text = _("{file} contains a {name} with refit=False, which cannot predict", file=file, name=name)
    elif judged.fault == "novelty":
        text = _("{file} contains a {name} with novelty=False, which cannot predict", file=file, name=name)
    elif judged.part:
        text = _("{file} contains a model whose last step, {name}, has no predict method", file=file, name=name)
    else:
        text = _("{file} contains a {name}, which has no predict method", file=file, name=name)
    return [error(file, text, _without_predict_fix(directory, judged))]


def dump_line(directory: ModelDir, name: str = "model") -> str:
    """Return the Python statement that saves a variable as the model of this directory, by the file's own library."""
    file = directory.model_file
    if file is not None and file.name == "model.pkl":
        return f"pathlib.Path({str(file.path)!r}).write_bytes(pickle.dumps({name}))"
    return f"joblib.dump({name}, {str(directory.path / 'model.joblib')!r})"


def _without_predict_fix(directory: ModelDir, judged: _Judged) -> str:
    dump = dump_line(directory)
    if judged.fault == "refit":
        return _("fit it with refit=True: {line}", line=f"model.set_params(refit=True).fit(X, y); {dump}")
    if judged.fault == "novelty":
        return _("fit it with novelty=True: {line}", line=f"model.set_params(novelty=True).fit(X); {dump}")
    if judged.short_name in _LABELLERS:
        line = "predictor = sklearn.neighbors.KNeighborsClassifier(1).fit(X, model.labels_)"
        return _("save a classifier of its labels: {line}", line=f"{line}; {dump_line(directory, 'predictor')}")
    if estimators.is_transformer(judged.name):
        line = "pipeline = sklearn.pipeline.make_pipeline(model, predictor).fit(X, y)"
        return _("save a pipeline that ends in a predictor: {line}", line=f"{line}; {dump_line(directory, 'pipeline')}")
    return _("save an estimator that has a predict method, such as a classifier or a regressor: {line}", line=dump)


def _judge(root: PickledObject | None, part: bool = False) -> _Judged | None:
    """Return why the object cannot predict; None if it can, or if that is not known."""
    if root is None or root.attributes is None:
        return None
    if root.name in _PIPELINES:
        return _judge(root.parts.get("steps"), part=True)
    marked = any(name.endswith("_") and not name.startswith("__") for name in root.attributes)
    if root.name == _DELEGATE:
        return None if marked else _judge(root.parts.get("estimator"), part=True)
    predicts = estimators.predicts(root.name)
    if predicts is None:
        return None
    if not predicts:
        return _Judged("without-predict", root.name, part)
    if root.name.startswith(_SEARCHES) and root.flags.get("refit", True) is False:
        return _Judged("refit", root.name, part)
    if root.name.endswith(_LOCAL_OUTLIERS) and root.flags.get("novelty", True) is False:
        return _Judged("novelty", root.name, part)
    if estimators.is_fitted(root.name, root.attributes, root.flags) is False:
        return _Judged("unfitted", root.name, part)
    return _judge(root.parts.get("best_estimator_"), part=True)
