"""Trust: the code that loading a model or building a package would run, and what may run without consent.

A model file is a program: a pickle calls the functions it names, a graph may write files, a source distribution runs
its setup.py. Each kind of file is one `TrustQuestion`: which files it covers, and which of their code is not known to
be harmless. That code needs `--trust`, once per file content. The worker enforces the same lists when it loads the
model.
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

MAX_SHOWN = 6


@dataclasses.dataclass(frozen=True)
class UntrustedFile:
    """A file that would run code that is not known to be harmless.

    `names` are the names of that code, or of the file itself. `complete` is False if the file was only partly read,
    so that there may be more.
    """

    file: File
    names: tuple[str, ...]
    complete: bool = True


@dataclasses.dataclass(frozen=True)
class TrustQuestion:
    """One kind of file that may run code.

    Attributes:
        id: Id of the rule.
        of_model: Whether the worker loads the file; False for packages, which are installed before.
        files: Lists the files that `--trust` covers.
        inspect: Returns the code of a file that is not known to be harmless, None if there is none.
    """

    id: str
    of_model: bool
    files: Callable[[CheckContext], Iterable[File]]
    inspect: Callable[[CheckContext, File], UntrustedFile | None]

    def untrusted_files(self, context: CheckContext) -> Iterator[UntrustedFile]:
        """Yield the files that need trust and do not have it."""
        trust = context.trust or Trust()
        for file in self.files(context):
            if (found := self.inspect(context, file)) and not trust.has_file(file.path, file.size):
                yield found


TRUST_QUESTIONS: dict[str, TrustQuestion] = {}


def register(question: TrustQuestion) -> TrustQuestion:
    """Register a question; its rule has the same id."""
    TRUST_QUESTIONS[question.id] = question
    return question


def is_trusted(context: CheckContext) -> bool:
    """Whether the user trusts all code that loading the model may run; the worker then loads it unrestricted."""
    trust = context.trust or Trust()
    files = [file for question in TRUST_QUESTIONS.values() if question.of_model for file in question.files(context)]
    return bool(files and trust.files) and all(trust.has_file(file.path, file.size) for file in files)


def needs_no_trust(context: CheckContext) -> bool:
    """Whether loading the model runs only code that is known to be harmless, whatever the user trusts."""
    bare = dataclasses.replace(context, trust=None)
    return not any(list(question.untrusted_files(bare)) for question in TRUST_QUESTIONS.values())


def build_unread_finding(untrusted: UntrustedFile) -> Finding:
    """Return the finding for a file that was only partly read."""
    text = _(
        "{file} could not be read completely, so the code that loading it would run is unknown",
        file=untrusted.file.name,
    )
    return error(untrusted.file.name, text, trust_fix())


def find_untrusted(
    question: TrustQuestion, context: CheckContext, build_finding: Callable[[UntrustedFile], Finding]
) -> Outcomes:
    """Return the outcome of a question's rule: a finding for each file that needs trust and does not have it."""
    return [
        build_finding(untrusted) if untrusted.names else build_unread_finding(untrusted)
        for untrusted in question.untrusted_files(context)
    ]
