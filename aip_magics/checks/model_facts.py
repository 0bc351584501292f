"""Decorators that give a rule the facts of a model file, or skip the rule with the reason why there are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from aip_magics.artifacts import File, ModelDir
from aip_magics.artifacts.facts import BoosterFacts, PickleFacts, SavedModelFacts
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Outcomes, Skipped
from aip_magics.i18n import gettext as _

Facts = TypeVar("Facts", PickleFacts, BoosterFacts, SavedModelFacts)
Checked: TypeAlias = Callable[[CheckContext], Outcomes]


def requires_pickle(check: Callable[[CheckContext, ModelDir, PickleFacts], Outcomes]) -> Checked:
    """Decorate a rule about a pickled model.

    The rule is skipped if there is no pickle, or if it found nothing and the pickle was only partly read.
    """
    return _with_facts(get_pickle, check)


def requires_booster(check: Callable[[CheckContext, ModelDir, BoosterFacts], Outcomes]) -> Checked:
    """Decorate a rule about XGBoost's own files; see `requires_pickle`."""
    return _with_facts(get_booster, check)


def requires_saved_model(check: Callable[[CheckContext, ModelDir, SavedModelFacts], Outcomes]) -> Checked:
    """Decorate a rule about SavedModels; see `requires_pickle`."""
    return _with_facts(get_saved_model, check)


def get_pickle(directory: ModelDir) -> PickleFacts | Skipped:
    """Return the facts of the pickled model."""
    found = directory.contents.pickle if directory.contents else None
    return found or _no_facts(directory, _("the model is not a pickle"))


def get_booster(directory: ModelDir) -> BoosterFacts | Skipped:
    """Return the facts of the booster file."""
    found = directory.contents.booster if directory.contents else None
    return found or _no_facts(directory, _("the model is not an XGBoost file"))


def get_saved_model(directory: ModelDir) -> SavedModelFacts | Skipped:
    """Return the facts of the SavedModel."""
    return directory.saved_model or _no_facts(directory, _("the model is not a SavedModel"))


def is_placeholder(directory: ModelDir, file: File) -> bool:
    """Whether a file is empty, a Git LFS pointer or a web page, which D01, D02 and D03 report."""
    return not file.size or any(one.name == file.name for one in directory.stand_ins)


def get_model_file(directory: ModelDir) -> str:
    """Return the name of the model file, or the directory if it does not have exactly one."""
    return directory.model_file.name if directory.model_file else str(directory.path)


def _with_facts(
    get_facts: Callable[[ModelDir], Facts | Skipped], check: Callable[[CheckContext, ModelDir, Facts], Outcomes]
) -> Checked:
    def checked(context: CheckContext) -> Outcomes:
        directory = context.model_dir
        if directory is None:
            return Skipped(_("the model directory is not on this machine"))
        facts = get_facts(directory)
        if isinstance(facts, Skipped):
            return facts
        outcome = check(context, directory, facts)
        if isinstance(outcome, Skipped) or facts.complete:
            return outcome
        # Findings hold; without any, the part that was not read may still have some.
        return list(outcome) or Skipped(facts.unread or _("the model file was only partly inspected"))

    checked.__doc__ = check.__doc__
    return checked


def _no_facts(directory: ModelDir, kind: str) -> Skipped:
    if directory.model_file is None:
        return Skipped(_("the directory does not have exactly one model file"))
    unread = directory.contents.unread if directory.contents else ""
    return Skipped(unread or kind)


def package_modules(context: CheckContext) -> tuple[str, ...] | None:
    """Return the top-level modules of the packages; None if one of the packages cannot be inspected."""
    if context.has_remote_packages or any(facts.problem or not facts.complete for facts in context.packages):
        return None
    return tuple(name for facts in context.packages for name in facts.top_names)
