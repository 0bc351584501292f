"""What rules about the insides of a model start from: its facts, or the reason why there are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from aip_magics.artifacts import ModelDir
from aip_magics.artifacts.facts import BoosterFacts, PickleFacts, SavedModelFacts
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Outcomes, Skipped
from aip_magics.i18n import gettext as _

Facts = TypeVar("Facts", PickleFacts, BoosterFacts, SavedModelFacts)
Checked: TypeAlias = Callable[[CheckContext], Outcomes]


def requires_pickle(check: Callable[[CheckContext, ModelDir, PickleFacts], Outcomes]) -> Checked:
    """For rules about a pickled model: skipped where there is none, or nothing was found and not all of it was read."""
    return _on(get_pickle, check)


def requires_booster(check: Callable[[CheckContext, ModelDir, BoosterFacts], Outcomes]) -> Checked:
    """The same for XGBoost's own files."""
    return _on(get_booster, check)


def requires_saved_model(check: Callable[[CheckContext, ModelDir, SavedModelFacts], Outcomes]) -> Checked:
    """The same for SavedModels."""
    return _on(get_saved_model, check)


def get_pickle(directory: ModelDir) -> PickleFacts | Skipped:
    found = directory.contents.pickle if directory.contents else None
    return found or _no_facts(directory, _("the model is no pickle"))


def get_booster(directory: ModelDir) -> BoosterFacts | Skipped:
    found = directory.contents.booster if directory.contents else None
    return found or _no_facts(directory, _("the model is no file of XGBoost"))


def get_saved_model(directory: ModelDir) -> SavedModelFacts | Skipped:
    return directory.saved_model or _no_facts(directory, _("the model is no SavedModel"))


def get_model_file(directory: ModelDir) -> str:
    """The name of the model file, or the directory where there is not just one."""
    return directory.model_file.name if directory.model_file else str(directory.path)


def _on(
    facts_of: Callable[[ModelDir], Facts | Skipped], check: Callable[[CheckContext, ModelDir, Facts], Outcomes]
) -> Checked:
    def checked(context: CheckContext) -> Outcomes:
        directory = context.model_dir
        if directory is None:
            return Skipped(_("the model directory is not on this machine"))
        facts = facts_of(directory)
        if isinstance(facts, Skipped):
            return facts
        found = check(context, directory, facts)
        if isinstance(found, Skipped) or facts.complete:
            return found
        # What was found is there; what was not may still be in the part that was not read.
        return list(found) or Skipped(facts.unread or _("the model was not read to its end"))

    checked.__doc__ = check.__doc__
    return checked


def _no_facts(directory: ModelDir, kind: str) -> Skipped:
    if directory.model_file is None:
        return Skipped(_("there is no single model file to look into"))
    unread = directory.contents.unread if directory.contents else ""
    return Skipped(unread or kind)


def package_modules(context: CheckContext) -> tuple[str, ...] | None:
    """The top-level modules of the packages given; None where one of them cannot be looked into."""
    remote = any(uri.startswith("gs://") for uri in context.version.packageUris or ())
    if remote or any(facts.problem or not facts.complete for facts in context.packages):
        return None
    return tuple(name for facts in context.packages for name in facts.top_names)
