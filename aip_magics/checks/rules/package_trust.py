"""What building a package would run: setup.py and build backends act with the user's rights, before a worker starts.

The modules of a package are the user's own code, given to be run where the model runs; they are no question.
"""

from __future__ import annotations

from collections.abc import Iterator

from aip_magics.artifacts import File, file_at
from aip_magics.artifacts.packages.build_code import consent_fix, would_run
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Finding, Outcomes, Skipped
from aip_magics.checks.rule import error, rule
from aip_magics.checks.trust import TrustQuestion, UntrustedFile, question
from aip_magics.i18n import gettext as _


def _files(context: CheckContext) -> Iterator[File]:
    """The packages of this machine. Wheels are not built, but may require what is."""
    for path in context.package_facts:
        yield file_at(path)


def _look(context: CheckContext, file: File) -> UntrustedFile | None:
    facts = context.package_facts[file.path]
    if facts.is_wheel or facts.problem:
        return None  # A10 has the problem, and nothing is built
    return UntrustedFile(file, facts.runs, facts.complete) if facts.runs or not facts.complete else None


BUILDING = question(TrustQuestion("U03", of_model=False, files=_files, look=_look))


@rule(BUILDING.id, link=links.INSTALL_FAILED)
def code_that_building_runs(context: CheckContext) -> Outcomes:
    """Building a source distribution of packageUris runs nothing of it, unless you trusted it with --trust.

    Its setup.py may call setup() with what stands there, find packages and read its own files; setup.cfg,
    pyproject.toml and MANIFEST.in may say in plain words what is installed, by setuptools, hatchling, flit or poetry.
    Anything else (other calls, cmdclass, extensions, hooks, paths that lead out of the archive) is named, and the
    package is not built until --trust is given, once for its content. Wheels are not built; what %aip_package makes is
    never asked about.
    """
    found = [_finding(one) for one in BUILDING.strangers(context)]
    if not found and any(uri.startswith("gs://") for uri in context.version.packageUris or ()):
        return Skipped(_("a package lies in Cloud Storage and is not looked into"))
    return found


def _finding(one: UntrustedFile) -> Finding:
    if one.names:
        text = f"{one.file.name}: {would_run(one.names)}"
    else:
        text = _("{file} cannot be read to its end: what building it would run is not known", file=one.file.name)
    return error(one.file.name, text, consent_fix())
