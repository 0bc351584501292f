"""Rules about the libraries of the Python that serves the local target, compared with those that saved the model.

They say before the upload what fails at the load or at each prediction, and name the environment that serves the model.
What is certain is an error; the rest is a warning. With `--env`, an environment of its own serves the model.
"""

from __future__ import annotations

from aip_magics import catalog
from aip_magics.artifacts import ModelDir, saved_models
from aip_magics.artifacts.facts import BoosterFacts, PickleFacts, SavedModelFacts
from aip_magics.checks import links, serving_python
from aip_magics.checks.context import CheckContext
from aip_magics.checks.model_facts import get_model_file, requires_pickle, requires_saved_model
from aip_magics.checks.outcome import Finding, Outcomes, Skipped
from aip_magics.checks.rule import error, on_directory, rule, warning
from aip_magics.checks.rules.libraries import ignores_base_score
from aip_magics.i18n import gettext as _

_MAX_SHOWN = 5


@rule("A23", "unreadable-by-this-python", link=links.SKLEARN_VERSIONS)
@requires_pickle
def unreadable_by_this_python(context: CheckContext, directory: ModelDir, facts: PickleFacts) -> Outcomes:
    """The Python that serves the local target must be able to load the pickle, and to predict with it.

    The rule reports classes whose saved state this release of scikit-learn cannot use (catalog/library_skew.toml), and
    modules, classes and functions of scikit-learn, XGBoost and NumPy that the installed releases do not have.
    """
    if not serving_python.is_served_here(context):
        return _served_elsewhere(context)
    finding = _find_unreadable(context, directory, facts)
    return [finding] if finding else []


@rule("A24", "saved-by-another-release", link=links.SKLEARN_VERSIONS)
@on_directory
def saved_by_another_release(context: CheckContext, directory: ModelDir) -> Outcomes:
    """The model should be saved with the releases of scikit-learn and XGBoost that serve the local target.

    scikit-learn promises to load only what the same release saved. XGBoost loads what older releases saved in its own
    formats; an XGBoost before 3.1 loads models of 3.1 and later without an error, but its predictions are wrong.
    """
    if not serving_python.is_served_here(context):
        return _served_elsewhere(context)
    pickled = directory.contents.pickle if directory.contents else None
    if pickled and _find_unreadable(context, directory, pickled):
        return []  # A23 reports it
    findings = [_compare(context, directory, *library) for library in directory.libraries.items()]
    return [finding for finding in findings if finding]


@rule("A25", "operation-not-in-this-tensorflow", link=links.TENSORFLOW_SKEW)
@requires_saved_model
def operation_not_in_this_tensorflow(context: CheckContext, directory: ModelDir, facts: SavedModelFacts) -> Outcomes:
    """The TensorFlow that serves the local target must have the operations of the SavedModel, or it does not load.

    Operations of TensorFlow Text, TensorFlow Decision Forests and other libraries are not TensorFlow's: their library
    (.so) must be in assets.extra/ of the model directory.
    """
    if not serving_python.is_served_here(context):
        return _served_elsewhere(context)
    has = serving_python.get_serving_version(context, "tensorflow")
    if has is None:
        return Skipped(_("TensorFlow is not installed for this Python"))
    missing = saved_models.lacking(facts.ops, has)
    if any(file.name.startswith("assets.extra/") and file.name.endswith(".so") for file in directory.files):
        missing = {name: since for name, since in missing.items() if since is not None}
    if not missing:
        return []
    text = _(
        "TensorFlow {has} of this Python does not have the operations {ops}",
        has=has,
        ops=", ".join(list(missing)[:_MAX_SHOWN]),
    )
    if None in missing.values():
        fix = _("put the library of the operation into assets.extra/, or export the model without the operation")
    else:
        fix = fix_with_environment(context, directory)
    return [(warning if context.is_custom else error)(get_model_file(directory), text, fix)]


def fix_with_environment(context: CheckContext, directory: ModelDir) -> str:
    """Return the option that serves the model with the libraries that saved it."""
    saved = {**directory.libraries}
    if directory.saved_model and directory.saved_model.tensorflow_version:
        saved["tensorflow"] = directory.saved_model.tensorflow_version
    booster = directory.contents.booster if directory.contents else None
    if not saved and not (booster and booster.format == "binary"):
        return _("add --env runtime --runtime-version X.Y, the runtime with the libraries that saved the model")
    runtime = catalog.runtime(context.version.runtimeVersion or "")
    fits = runtime is not None and all(
        _series(catalog.library_of(runtime, name) or "") == _series(version) for name, version in saved.items()
    )
    return _("add --env runtime") if saved and fits else _("add --env model")


def _find_unreadable(context: CheckContext, directory: ModelDir, facts: PickleFacts) -> Finding | None:
    """Find what this Python certainly cannot load, or predict with."""
    file = get_model_file(directory)
    # The user's own code may load the file in its own way.
    level = warning if context.is_custom else error
    for library, saved in facts.libraries.items():
        has = serving_python.get_serving_version(context, library)
        if has is None:
            continue
        found = catalog.find_library_break(library, saved, has, (str(one) for one in facts.globals))
        if found is None:
            continue
        fix = fix_with_environment(context, directory)
        values = {"library": library, "saved": saved, "has": has, "name": found.name}
        if found.step == "load":
            text = _(
                "the model was saved with {library} {saved}; {library} {has} of this Python cannot load its {name}",
                **values,
            )
            return level(file, text, fix)
        text = _(
            "the model was saved with {library} {saved}; {library} {has} of this Python cannot predict with its {name}",
            **values,
        )
        # A selector of features only reads what its estimator has learnt, without a prediction.
        selects = any(one.module.startswith("sklearn.feature_selection") for one in facts.globals)
        return (warning if selects else level)(file, text, fix)
    absent = serving_python.find_absent_global(context, facts.globals)
    if absent is None:
        return None
    library, name = absent
    text = _(
        "the model references {name}, which {library} {has} of this Python does not have",
        name=name,
        library=library,
        has=serving_python.get_serving_version(context, library) or "",
    )
    return level(file, text, fix_with_environment(context, directory))


def _compare(context: CheckContext, directory: ModelDir, library: str, saved: str) -> Finding | None:
    has = serving_python.get_serving_version(context, library)
    if has is None or _series(saved) == _series(has):
        return None
    file, booster = get_model_file(directory), directory.contents.booster if directory.contents else None
    fix = fix_with_environment(context, directory)
    if library == "xgboost":
        if _is_misread(booster, has):
            text = _(
                "the model was saved with XGBoost {saved}; XGBoost {has} of this Python loads it without an error but "
                "returns wrong predictions",
                saved=saved,
                has=has,
            )
            return error(file, text, fix)
        if catalog.parse_version(saved) < catalog.parse_version(has):
            return None
    text = _(
        "the model was saved with {library} {saved}; {library} {has} of this Python may not load it or may predict "
        "differently",
        library=library,
        saved=saved,
        has=has,
    )
    return warning(file, text, fix)


def _is_misread(booster: BoosterFacts | None, has: str) -> bool:
    """Whether this XGBoost takes the base score in a model's file for 0.5."""
    return (
        booster is not None
        and booster.base_score_is_list
        and not ignores_base_score(booster)
        and catalog.xgboost_reads("binary", has)  # the release without it is the first that reads the list
    )


def _served_elsewhere(context: CheckContext) -> Skipped:
    if context.env != "current":
        return Skipped(_("an environment of its own serves the model (--env)"))
    return Skipped(_("this Python does not serve the model"))


def _series(version: str) -> tuple[int, ...]:
    return catalog.parse_version(version)[:2]
