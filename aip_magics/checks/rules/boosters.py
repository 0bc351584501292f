"""Rules about XGBoost's own files: which versions read the format, and which instances the booster accepts."""

from __future__ import annotations

from aip_magics import catalog
from aip_magics.artifacts import ModelDir
from aip_magics.artifacts.facts import BoosterFacts
from aip_magics.checks import links, serving_python
from aip_magics.checks.context import CheckContext
from aip_magics.checks.model_facts import get_model_file, requires_booster
from aip_magics.checks.outcome import Finding, Outcomes
from aip_magics.checks.rule import advice, error, in_cloud, rule, warning
from aip_magics.checks.rules.libraries import newer_libraries, unread_format
from aip_magics.checks.rules.serving_python import fix_with_environment
from aip_magics.i18n import gettext as _

_PROBABILITIES = ("binary:logistic", "multi:softprob")  # objectives whose booster predicts them


@rule("A08", "unreadable-booster-format", link=links.XGBOOST_IO)
@requires_booster
def unreadable_booster_format(context: CheckContext, directory: ModelDir, facts: BoosterFacts) -> Outcomes:
    """The XGBoost that loads the model must support its format: UBJSON since 1.6, JSON since 1.0, binary before 3.1.

    If the version in the file is already too new, only A02 or R07 reports it.
    """
    if not context.target.is_cloud and (found := _unreadable_here(context, directory, facts)):
        return [found]
    if newer_libraries(context, directory):
        return []
    unread = unread_format(context, facts.format)
    if unread is None:
        return []
    text = _(
        "{file} is in XGBoost's {format} format, which XGBoost {version} of runtime {runtime} cannot read",
        file=get_model_file(directory),
        format=facts.format,
        version=unread.version,
        runtime=unread.runtime,
    )
    fix = _("save the model with XGBoost {version}, or use a newer runtime", version=unread.version)
    return [
        in_cloud(context, get_model_file(directory), text, fix, "error" if unread.certainty == "certain" else "warning")
    ]


@rule("R06", "booster-with-feature-names", link=links.API_PREDICT)
@requires_booster
def booster_with_feature_names(_context: CheckContext, directory: ModelDir, facts: BoosterFacts) -> Outcomes:
    """The booster must be trained without feature names: instances are lists, which have no names for XGBoost."""
    if not facts.feature_names:
        return []
    text = _(
        "the booster was trained with feature names ({first}, …); instances are lists without names, "
        "so every prediction fails",
        first=facts.feature_names[0],
    )
    path = str(directory.model_file.path) if directory.model_file else "model.bst"
    fix = (
        f"import pathlib, xgboost; booster = xgboost.Booster(model_file={path!r}); booster.feature_names = None; "
        f"pathlib.Path({path!r}).write_bytes(booster.save_raw('ubj'))"
    )
    return [error(get_model_file(directory), text, fix)]


@rule("A33", "early-stopped-booster", link=links.XGBOOST_EARLY_STOPPING)
@requires_booster
def early_stopped_booster(context: CheckContext, directory: ModelDir, facts: BoosterFacts) -> Outcomes:
    """A booster that early stopping ended should be cut after its best round: the service predicts with all rounds.

    XGBClassifier and XGBRegressor predict with the rounds up to the best one, so that their predictions differ from
    those of the service; `Booster.predict` takes all rounds, too, so that this is only advice for other boosters.
    """
    if context.is_custom or facts.best_iteration is None or facts.rounds is None:
        return []
    used = facts.best_iteration + 1
    if used >= facts.rounds:
        return []
    file = get_model_file(directory)
    path = str(directory.path / file)
    form = "json" if facts.format == "json" else "ubj"
    line = f"xgboost.Booster(model_file={path!r})[:{used}].save_raw({form!r})"
    fix = _("keep the best rounds only: {line}", line=f"pathlib.Path({path!r}).write_bytes({line})")
    if facts.estimator_type:
        text = _(
            "{file} predicts with all its {rounds} boosting rounds; the estimator that saved it uses the first {used}, "
            "up to the best one of early stopping",
            file=file,
            rounds=facts.rounds,
            used=used,
        )
        return [warning(file, text, fix)]
    text = _(
        "{file} predicts with all its {rounds} boosting rounds; the best one of early stopping is round {used}",
        file=file,
        rounds=facts.rounds,
        used=used,
    )
    return [advice(file, text, fix)]


@rule("A34", "classifier-as-booster", link=links.XGBOOST_IO)
@requires_booster
def classifier_as_booster(context: CheckContext, directory: ModelDir, facts: BoosterFacts) -> Outcomes:
    """The booster that XGBClassifier.save_model writes predicts probabilities, where XGBClassifier predicts classes."""
    if context.is_custom or facts.estimator_type != "classifier" or facts.objective not in _PROBABILITIES:
        return []
    file = get_model_file(directory)
    text = _("{file} predicts probabilities, where the predict method of XGBClassifier returns classes", file=file)
    line = f"joblib.dump(clf, {str(directory.path / 'model.joblib')!r}); os.remove({str(directory.path / file)!r})"
    return [
        advice(file, text, _("keep the file for probabilities; for classes, save the classifier: {line}", line=line))
    ]


def _unreadable_here(context: CheckContext, directory: ModelDir, facts: BoosterFacts) -> Finding | None:
    """Return the finding for a format that the XGBoost of this Python cannot read; advice if that is unknown."""
    if not serving_python.is_served_here(context):
        return None
    file, has = get_model_file(directory), serving_python.get_serving_version(context, "xgboost")
    if has is not None and catalog.xgboost_reads(facts.format, has):
        return None
    if has is None:
        if facts.format != "binary":
            return None
        text = _("{file} is in XGBoost's old binary format, which XGBoost 3.1 and later cannot read", file=file)
        return advice(file, text, fix_with_environment(context, directory))
    text = _(
        "{file} is in XGBoost's {format} format, which XGBoost {version} of this Python cannot read",
        file=file,
        format=facts.format,
        version=has,
    )
    return error(file, text, fix_with_environment(context, directory))
