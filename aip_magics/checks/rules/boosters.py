"""Rules about XGBoost's own files: who reads the format, and what the instances have to look like."""

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


@rule("A08", link=links.XGBOOST_IO)
@requires_booster
def booster_format(context: CheckContext, directory: ModelDir, facts: BoosterFacts) -> Outcomes:
    """The XGBoost that loads the model reads its format: UBJSON from 1.6 on, JSON from 1.0 on, binary before 3.1.

    Where the version in the file says it already, only that is told (A02, R07).
    """
    if facts.format == "binary" and not context.target.is_cloud:
        text = _(
            "{file} is of XGBoost's old binary format, which XGBoost 3.1 and later do not read",
            file=get_model_file(directory),
        )
        fix = _("with the XGBoost that wrote it: booster.load_model('model.bst'); booster.save_model('model.json')")
        return [advice(get_model_file(directory), text, f"{fix}; mv model.json model.bst")]
    if newer_libraries(context, directory):
        return []
    unread = unread_format(context, facts.format)
    if unread is None:
        return []
    text = _(
        "{file} is of XGBoost's format {format}, which XGBoost {version} of runtime {runtime} does not read",
        file=get_model_file(directory),
        format=facts.format,
        version=unread.version,
        runtime=unread.runtime,
    )
    fix = _("save it with XGBoost {version}, or take a newer runtime", version=unread.version)
    return [
        in_cloud(context, get_model_file(directory), text, fix, "error" if unread.certainty == "certain" else "warning")
    ]


@rule("R06", link=links.API_PREDICT)
@requires_booster
def feature_names(_context: CheckContext, directory: ModelDir, facts: BoosterFacts) -> Outcomes:
    """The booster was trained without feature names: instances come as lists, and XGBoost then misses the names."""
    if not facts.feature_names:
        return []
    text = _(
        "the booster was trained with feature names ({first}, …); instances are lists without names, "
        "so every prediction fails",
        first=facts.feature_names[0],
    )
    fix = "booster.feature_names = None; booster.save_model('model.ubj'); mv model.ubj model.bst"
    return [error(get_model_file(directory), text, fix)]
