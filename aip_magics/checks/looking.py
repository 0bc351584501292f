"""What rules about the insides of a model start from: its facts, or the reason why there are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from aip_magics.artifacts import ModelDir
from aip_magics.artifacts.facts import BoosterFacts, PickleFacts, SavedModelFacts
from aip_magics.checks.base import Outcomes, Skipped, Subject
from aip_magics.i18n import gettext as _

Facts = TypeVar("Facts", PickleFacts, BoosterFacts, SavedModelFacts)
Checked: TypeAlias = Callable[[Subject], Outcomes]


def on_pickle(check: Callable[[Subject, ModelDir, PickleFacts], Outcomes]) -> Checked:
    """For rules about a pickled model: skipped where there is none, or nothing was found and not all of it was read."""
    return _on(pickle_of, check)


def on_booster(check: Callable[[Subject, ModelDir, BoosterFacts], Outcomes]) -> Checked:
    """The same for XGBoost's own files."""
    return _on(booster_of, check)


def on_saved_model(check: Callable[[Subject, ModelDir, SavedModelFacts], Outcomes]) -> Checked:
    """The same for SavedModels."""
    return _on(saved_model_of, check)


def pickle_of(directory: ModelDir) -> PickleFacts | Skipped:
    found = directory.contents.pickle if directory.contents else None
    return found or _no_facts(directory, _("the model is no pickle"))


def booster_of(directory: ModelDir) -> BoosterFacts | Skipped:
    found = directory.contents.booster if directory.contents else None
    return found or _no_facts(directory, _("the model is no file of XGBoost"))


def saved_model_of(directory: ModelDir) -> SavedModelFacts | Skipped:
    return directory.saved_model or _no_facts(directory, _("the model is no SavedModel"))


def file_of(directory: ModelDir) -> str:
    """The name of the model file, or the directory where there is not just one."""
    return directory.model_file.name if directory.model_file else str(directory.path)


def _on(
    facts_of: Callable[[ModelDir], Facts | Skipped], check: Callable[[Subject, ModelDir, Facts], Outcomes]
) -> Checked:
    def checked(subject: Subject) -> Outcomes:
        directory = subject.model_dir
        if directory is None:
            return Skipped(_("the model directory is not on this machine"))
        facts = facts_of(directory)
        if isinstance(facts, Skipped):
            return facts
        found = check(subject, directory, facts)
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


def package_modules(subject: Subject) -> tuple[str, ...] | None:
    """The top-level modules of the packages given; None where one of them cannot be looked into."""
    remote = any(uri.startswith("gs://") for uri in subject.version.packageUris or ())
    if remote or any(facts.problem or not facts.complete for facts in subject.packages):
        return None
    return tuple(name for facts in subject.packages for name in facts.top_names)
