"""Trust in building packages: setup.py and build backends run with the user's permissions, outside of a worker.

The modules of a package are the user's own code, provided to be run where the model runs; they need no trust.
"""

from __future__ import annotations

from collections.abc import Iterator

from aip_magics.artifacts import File, file_at
from aip_magics.artifacts.packages.build_code import consent_fix, would_run
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Finding, Outcomes, Skipped
from aip_magics.checks.rule import error, rule
from aip_magics.checks.trust import TrustQuestion, UntrustedFile, register
from aip_magics.i18n import gettext as _


def _files(context: CheckContext) -> Iterator[File]:
    """Yield the local packages. Wheels are not built, but may require packages that are."""
    for path in context.package_facts:
        yield file_at(path)


def _inspect(context: CheckContext, file: File) -> UntrustedFile | None:
    facts = context.package_facts[file.path]
    if facts.is_wheel or facts.problem:
        return None  # A10 reports the problem; nothing is built
    return UntrustedFile(file, facts.runs, facts.complete) if facts.runs or not facts.complete else None


BUILDING = register(TrustQuestion("U03", of_model=False, files=_files, inspect=_inspect))


@rule(BUILDING.id, "untrusted-build-code", link=links.INSTALL_FAILED)
def untrusted_build_code(context: CheckContext) -> Outcomes:
    """Building a source distribution of packageUris must not run code of it that is not trusted with --trust.

    Its setup.py may call setup() with literal values, find packages and read its own files; setup.cfg, pyproject.toml
    and MANIFEST.in may declare what setuptools, hatchling, flit or poetry install. Anything else (other calls,
    cmdclass, extensions, hooks, paths outside the archive) is reported, and the package is not built without --trust,
    which is needed once per content. Wheels are not built; packages of %aip_package never need --trust.
    """
    found = [_build_finding(untrusted) for untrusted in BUILDING.untrusted_files(context)]
    if not found and context.has_remote_packages:
        return Skipped(_("packages in Cloud Storage are not inspected"))
    return found


def _build_finding(untrusted: UntrustedFile) -> Finding:
    if untrusted.names:
        text = f"{untrusted.file.name}: {would_run(untrusted.names)}"
    else:
        text = _(
            "{file} could not be read completely, so the code that building it would run is unknown",
            file=untrusted.file.name,
        )
    return error(untrusted.file.name, text, consent_fix())
