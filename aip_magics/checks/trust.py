"""What loading a model, or building a package, would run, against what may run without asking.

A model file is a program: a pickle calls what it names, a graph may write files, a source distribution runs its
setup.py. Each kind of file is one `Question`: which files it is about, and what of a file is not known to be harmless.
What is left is asked once per content, with `--trust`. The worker enforces the same lists where it loads the model.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator

from aip_magics.artifacts import File
from aip_magics.checks.base import Finding, Outcomes, Subject, error
from aip_magics.i18n import gettext as _
from aip_magics.prediction.worker_responses import trust_fix
from aip_magics.trust import Trust

_SHOWN = 6


@dataclasses.dataclass(frozen=True)
class Stranger:
    """A file that would run what is not known: `names` of what it would run, or of the file itself.

    `complete` is False where it was not read to its end: then there may be more.
    """

    file: File
    names: tuple[str, ...]
    complete: bool = True


@dataclasses.dataclass(frozen=True)
class Question:
    """One kind of file that may run something. `of_model`: it is loaded by the worker, not installed before.

    `files` are those that `--trust` is about; `look` says what of one is not known to be harmless, None if nothing is.
    """

    id: str
    of_model: bool
    files: Callable[[Subject], Iterable[File]]
    look: Callable[[Subject, File], Stranger | None]

    def strangers(self, subject: Subject) -> Iterator[Stranger]:
        """The files that need trust and do not have it."""
        trust = subject.trust or Trust()
        for file in self.files(subject):
            if (found := self.look(subject, file)) and not trust.has_file(file.path, file.size):
                yield found


QUESTIONS: dict[str, Question] = {}


def question(one: Question) -> Question:
    """Register a question; its rule has the same id."""
    QUESTIONS[one.id] = one
    return one


def is_trusted(subject: Subject) -> bool:
    """Whether the user consented to all that loading the model may run: then the worker loads it unrestricted."""
    trust = subject.trust or Trust()
    files = [file for one in QUESTIONS.values() if one.of_model for file in one.files(subject)]
    return bool(files and trust.files) and all(trust.has_file(file.path, file.size) for file in files)


def listed(names: tuple[str, ...]) -> str:
    """The first of the names, and how many more there are."""
    shown = ", ".join(names[:_SHOWN])
    more = len(names) - _SHOWN
    return _("{names} and {count} more", names=shown, count=more) if more > 0 else shown


def unread(one: Stranger) -> Finding:
    """The finding for a file that could not be read to its end."""
    text = _("{file} cannot be read to its end: what loading it would run is not known", file=one.file.name)
    return error(one.file.name, text, trust_fix())


def answers(question: Question, subject: Subject, finding: Callable[[Stranger], Finding]) -> Outcomes:
    """What the rule of a question returns: a finding for each file that needs trust and does not have it."""
    return [finding(one) if one.names else unread(one) for one in question.strangers(subject)]
