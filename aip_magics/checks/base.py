"""What a rule is: a small function from a Subject to findings, with a stable id.

::

    @rule("S21", link=API)
    def both_scalings(subject: Subject) -> Outcomes:
        \"\"\"autoScaling and manualScaling exclude each other.\"\"\"
        if subject.version.autoScaling is None or subject.version.manualScaling is None:
            return []
        return [error("version.manualScaling", "…what is wrong…", "…how to mend it…")]

The docstring is the rule's documentation; the ids are those of the catalogue of known failures where it has one. A rule
that cannot decide returns `Skipped(reason)`: nothing passes silently.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urlsplit

from aip_magics import catalog
from aip_magics.artifacts import ModelDir
from aip_magics.artifacts.packages import PackageFacts, read
from aip_magics.i18n import gettext as _
from aip_magics.spec import Model, Version
from aip_magics.trust import Trust

if TYPE_CHECKING:  # it has rules of its own, which need what is here
    from aip_magics.checks.tried import Tried

Severity = Literal["error", "warning", "advice"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "advice")


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is wrong or worth knowing. `subject` is a dotted field (`version.framework`) or a file name."""

    id: str
    severity: Severity
    subject: str
    message: str
    fix: str
    link: str


@dataclasses.dataclass(frozen=True)
class Passed:
    """The rule looked and found nothing."""


@dataclasses.dataclass(frozen=True)
class Failed:
    """The rule found something, of any severity."""

    findings: tuple[Finding, ...]


@dataclasses.dataclass(frozen=True)
class Skipped:
    """The rule could not decide."""

    reason: str


Outcome: TypeAlias = "Passed | Failed | Skipped"
Outcomes: TypeAlias = "Iterable[Finding] | Skipped"  # what a rule returns; `Rule.apply` makes an Outcome of it


@dataclasses.dataclass(frozen=True)
class TargetKind:
    """Where the deployment goes: `kind` is `local` or `aiplatform`; `region` is None for the global endpoint."""

    kind: str
    region: str | None = None
    endpoint: str = ""

    @property
    def regional(self) -> bool:
        return self.region is not None

    @property
    def is_cloud(self) -> bool:
        return self.kind == "aiplatform"

    @property
    def is_google(self) -> bool:
        """Whether the endpoint is Google's own, not a compatible one."""
        host = urlsplit(self.endpoint if "//" in self.endpoint else f"//{self.endpoint}").hostname or ""
        return self.is_cloud and (host == "googleapis.com" or host.endswith(".googleapis.com"))


@dataclasses.dataclass(frozen=True)
class Subject:
    """What is checked: the resources as they would be sent, the files, the target.

    `model_dir` is None where the model lies in Cloud Storage already. `test_request` is the body of the test
    prediction. `trust` is what the user said about code that loading runs (None: nothing); `tried` is how the model did
    in a worker of this machine, or why it was not tried.
    """

    model: Model
    version: Version
    model_dir: ModelDir | None = None
    target: TargetKind = TargetKind("local")
    test_request: bytes | None = None
    trust: Trust | None = None
    tried: Tried | Skipped | None = None

    @functools.cached_property
    def test_keys(self) -> Mapping[str, Any]:
        """The test request as a JSON object; empty where there is none, or it is no object."""
        try:
            body = json.loads(self.test_request or b"{}")
        except (ValueError, RecursionError):
            return {}
        return body if isinstance(body, dict) else {}

    @property
    def instances(self) -> list[Any] | None:
        """The test instances; None where there are none, or they are no list (R16 says so)."""
        found = self.test_keys.get("instances")
        return found if isinstance(found, list) and found else None

    @property
    def packages(self) -> tuple[PackageFacts, ...]:
        """What the packages of this machine say about themselves; those in Cloud Storage are left out."""
        return tuple(self.package_facts.values())

    @functools.cached_property
    def package_facts(self) -> Mapping[Path, PackageFacts]:
        """The same by their files."""
        files = [Path(uri).expanduser() for uri in self.version.packageUris or () if not uri.startswith("gs://")]
        return {file: read(file) for file in files if file.is_file()}

    @property
    def framework(self) -> str | None:
        """The framework asked for, else the one the files have."""
        asked = self.version.framework
        if asked and asked != "FRAMEWORK_UNSPECIFIED":
            return asked
        return self.model_dir.framework if self.model_dir else None

    @property
    def is_custom(self) -> bool:
        """Whether the user's own code loads the model: any files will do."""
        return self.version.predictionClass is not None or self.version.container is not None

    @property
    def family(self) -> catalog.Family:
        """The family of the machine asked for, else of the endpoint's default."""
        name = self.version.machineType
        known = catalog.machine_type(name) if name else catalog.default_machine_type(self.target.regional)
        if known:
            return known.family
        return "MLS1" if str(name).startswith("mls1-") else "N1"


@dataclasses.dataclass(frozen=True)
class Rule:
    """A registered rule. `title` and `text` are the first line and the rest of its documentation."""

    id: str
    title: str
    text: str
    link: str
    check: Callable[[Subject], Outcomes]

    def apply(self, subject: Subject) -> Outcome:
        """Run the rule; its findings get its id and, where they have none, its link."""
        return stamped(self.check(subject), self.id, self.link)


def stamped(found: Outcomes, id: str, link: str) -> Outcome:
    """What a rule returned as its outcome: the findings get the rule's id and, where they have none, its link."""
    if isinstance(found, Skipped):
        return found
    findings = tuple(dataclasses.replace(one, id=id, link=one.link or link) for one in found)
    return Failed(findings) if findings else Passed()


def documentation(check: Callable[..., Outcomes], id: str) -> tuple[str, str]:
    """Title and text of a rule, from the docstring of its function. ValueError where there is none."""
    title, _sep, text = (check.__doc__ or "").strip().partition("\n")
    if not title:
        raise ValueError(f"rule {id} has no docstring")
    return title, " ".join(text.split())


RULES: dict[str, Rule] = {}


def rule(id: str, *, link: str) -> Callable[[Callable[[Subject], Outcomes]], Callable[[Subject], Outcomes]]:
    """Register a function as the rule `id`; `link` is its evidence."""

    def register(check: Callable[[Subject], Outcomes]) -> Callable[[Subject], Outcomes]:
        if id in RULES:
            raise ValueError(f"two rules have the id {id}")
        RULES[id] = Rule(id, *documentation(check, id), link, check)
        return check

    return register


def on_directory(check: Callable[[Subject, ModelDir], Outcomes]) -> Callable[[Subject], Outcomes]:
    """For rules about files: skipped where the files are not on this machine."""

    def checked(subject: Subject) -> Outcomes:
        if subject.model_dir is None:
            return Skipped(_("the model directory is not on this machine"))
        return check(subject, subject.model_dir)

    checked.__doc__ = check.__doc__
    return checked


def error(subject: str, message: str, fix: str, link: str = "") -> Finding:
    """A finding that stops the deployment."""
    return Finding("", "error", subject, message, fix, link)


def warning(subject: str, message: str, fix: str, link: str = "") -> Finding:
    """A finding that probably hurts later."""
    return Finding("", "warning", subject, message, fix, link)


def advice(subject: str, message: str, fix: str, link: str = "") -> Finding:
    """A finding worth knowing."""
    return Finding("", "advice", subject, message, fix, link)


def in_cloud(
    subject: Subject, where: str, text: str, fix: str, severity: Severity = "error", link: str = ""
) -> Finding:
    """A finding about what the cloud would do: of this severity there.

    On the local target, where the Python that deployed the model serves it, a warning, or advice where no runtime is
    named.
    """
    if not subject.target.is_cloud:
        severity = "warning" if subject.version.runtimeVersion else "advice"
        text = _("served by this Python locally; in the cloud: {text}", text=text)
    return Finding("", severity, where, text, fix, link)
