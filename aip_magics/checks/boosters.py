"""Rules about XGBoost's own files: who reads the format, and what the instances have to look like."""

from __future__ import annotations

from aip_magics.artifacts import ModelDir
from aip_magics.artifacts.facts import BoosterFacts
from aip_magics.checks import links
from aip_magics.checks.base import Outcomes, Subject, advice, error, in_cloud, rule
from aip_magics.checks.libraries import newer_libraries, unread_format
from aip_magics.checks.looking import file_of, on_booster
from aip_magics.i18n import gettext as _


@rule("A08", link=links.XGBOOST_IO)
@on_booster
def booster_format(subject: Subject, directory: ModelDir, facts: BoosterFacts) -> Outcomes:
    """The XGBoost that loads the model reads its format: UBJSON from 1.6 on, JSON from 1.0 on, binary before 3.1.

    Where the version in the file says it already, only that is told (A02, R07).
    """
    if facts.format == "binary" and not subject.target.is_cloud:
        text = _(
            "{file} is of XGBoost's old binary format, which XGBoost 3.1 and later do not read", file=file_of(directory)
        )
        fix = _("with the XGBoost that wrote it: booster.load_model('model.bst'); booster.save_model('model.json')")
        return [advice(file_of(directory), text, f"{fix}; mv model.json model.bst")]
    if newer_libraries(subject, directory):
        return []
    unread = unread_format(subject, facts.format)
    if unread is None:
        return []
    text = _(
        "{file} is of XGBoost's format {format}, which XGBoost {version} of runtime {runtime} does not read",
        file=file_of(directory),
        format=facts.format,
        version=unread.version,
        runtime=unread.runtime,
    )
    fix = _("save it with XGBoost {version}, or take a newer runtime", version=unread.version)
    return [in_cloud(subject, file_of(directory), text, fix, "error" if unread.certainty == "certain" else "warning")]


@rule("R06", link=links.API_PREDICT)
@on_booster
def feature_names(_subject: Subject, directory: ModelDir, facts: BoosterFacts) -> Outcomes:
    """The booster was trained without feature names: instances come as lists, and XGBoost then misses the names."""
    if not facts.feature_names:
        return []
    text = _(
        "the booster was trained with feature names ({first}, …); instances are lists without names, "
        "so every prediction fails",
        first=facts.feature_names[0],
    )
    fix = "booster.feature_names = None; booster.save_model('model.ubj'); mv model.ubj model.bst"
    return [error(file_of(directory), text, fix)]
