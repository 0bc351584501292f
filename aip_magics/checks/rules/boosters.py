"""Rules about XGBoost's own files: which versions read the format, and which instances the booster accepts."""

from __future__ import annotations

from aip_magics.artifacts import ModelDir
from aip_magics.artifacts.facts import BoosterFacts
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.model_facts import get_model_file, requires_booster
from aip_magics.checks.outcome import Outcomes
from aip_magics.checks.rule import advice, error, in_cloud, rule
from aip_magics.checks.rules.libraries import newer_libraries, unread_format
from aip_magics.i18n import gettext as _


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
