"""Rules about XGBoost's own files: which versions read the format, and which instances the booster accepts."""

from __future__ import annotations

from aip_magics.artifacts import ModelDir
from aip_magics.artifacts.facts import BoosterFacts
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.model_facts import get_model_file, requires_booster
from aip_magics.checks.outcome import Outcomes
from aip_magics.checks.rule import advice, error, in_cloud, rule, warning
from aip_magics.checks.rules.libraries import newer_libraries, unread_format
from aip_magics.i18n import gettext as _

_PROBABILITIES = ("binary:logistic", "multi:softprob")  # objectives whose booster predicts them


@rule("A08", "unreadable-booster-format", link=links.XGBOOST_IO)
@requires_booster
def unreadable_booster_format(context: CheckContext, directory: ModelDir, facts: BoosterFacts) -> Outcomes:
    """The XGBoost that loads the model must support its format: UBJSON since 1.6, JSON since 1.0, binary before 3.1.

    If the version in the file is already too new, only A02 or R07 reports it.
    """
    if facts.format == "binary" and not context.target.is_cloud:
        text = _(
            "{file} is in XGBoost's old binary format, which XGBoost 3.1 and later cannot read",
            file=get_model_file(directory),
        )
        fix = _(
            "run with the XGBoost that saved the model: booster.load_model('model.bst'); "
            "booster.save_model('model.json')"
        )
        return [advice(get_model_file(directory), text, f"{fix}; mv model.json model.bst")]
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
    fix = "booster.feature_names = None; booster.save_model('model.ubj'); mv model.ubj model.bst"
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
