"""What loading a model, or building a package, would run, against what may run without asking.

A model file is a program: a pickle calls what it names, a graph may write files, a source distribution runs its
setup.py. Each kind of file is one `Question`: which files it is about, and what of a file is not known to be harmless.
What is left is asked once per content, with `--trust`. The worker enforces the same lists where it loads the model.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator

from aip_magics.artifacts import File
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Finding, Outcomes
from aip_magics.checks.rule import error
from aip_magics.i18n import gettext as _
from aip_magics.prediction.worker_responses import trust_fix
from aip_magics.trust import Trust

_SHOWN = 6


@dataclasses.dataclass(frozen=True)
class UntrustedFile:
    """A file that would run what is not known: `names` of what it would run, or of the file itself.

    `complete` is False where it was not read to its end: then there may be more.
    """

    file: File
    names: tuple[str, ...]
    complete: bool = True


@dataclasses.dataclass(frozen=True)
class TrustQuestion:
    """One kind of file that may run something. `of_model`: it is loaded by the worker, not installed before.

    `files` are those that `--trust` is about; `look` says what of one is not known to be harmless, None if nothing is.
    """

    id: str
    of_model: bool
    files: Callable[[CheckContext], Iterable[File]]
    look: Callable[[CheckContext, File], UntrustedFile | None]

    def strangers(self, context: CheckContext) -> Iterator[UntrustedFile]:
        """The files that need trust and do not have it."""
        trust = context.trust or Trust()
        for file in self.files(context):
            if (found := self.look(context, file)) and not trust.has_file(file.path, file.size):
                yield found


TRUST_QUESTIONS: dict[str, TrustQuestion] = {}


def question(one: TrustQuestion) -> TrustQuestion:
    """Register a question; its rule has the same id."""
    TRUST_QUESTIONS[one.id] = one
    return one


def is_trusted(context: CheckContext) -> bool:
    """Whether the user consented to all that loading the model may run: then the worker loads it unrestricted."""
    trust = context.trust or Trust()
    files = [file for one in TRUST_QUESTIONS.values() if one.of_model for file in one.files(context)]
    return bool(files and trust.files) and all(trust.has_file(file.path, file.size) for file in files)


def listed(names: tuple[str, ...]) -> str:
    """The first of the names, and how many more there are."""
    shown = ", ".join(names[:_SHOWN])
    more = len(names) - _SHOWN
    return _("{names} and {count} more", names=shown, count=more) if more > 0 else shown


def unread(one: UntrustedFile) -> Finding:
    """The finding for a file that could not be read to its end."""
    text = _("{file} cannot be read to its end: what loading it would run is not known", file=one.file.name)
    return error(one.file.name, text, trust_fix())


def answers(question: TrustQuestion, context: CheckContext, finding: Callable[[UntrustedFile], Finding]) -> Outcomes:
    """What the rule of a question returns: a finding for each file that needs trust and does not have it."""
    return [finding(one) if one.names else unread(one) for one in question.strangers(context)]
