"""The panel of a Version, Model or Operation: a table of the set fields, and the YAML that gcloud would print."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from aip_magics.i18n import gettext as _
from aip_magics.render import formatting
from aip_magics.render import json as as_json
from aip_magics.render.blocks import Code, Details, Line, Mark, Panel, Table, Tone, line, muted, row, strong
from aip_magics.spec import Model, Operation, Version


class Served(Protocol):
    """The part of `commands.resources.Served` that is shown; `render` must not import `commands`.

    `runtime` has `python` (the interpreter's path), `libraries` (name → version, also `python`) and `protection` (what
    the worker cannot reach, see `prediction.worker_responses.Loaded`).
    """

    @property
    def version(self) -> Version: ...
    @property
    def runtime(self) -> Mapping[str, Any]: ...


STATES: dict[str, Tone] = {
    "READY": "good", "FAILED": "bad", "CREATING": "busy", "UPDATING": "busy", "DELETING": "busy",
}  # fmt: skip


def describe(resource: Version | Model | Operation) -> Panel:
    """Build the panel of a resource."""
    from aip_magics.render import yaml  # PyYAML is loaded on first use

    tree = yaml.tree(resource)
    rows = tuple(row(name, value) for name, value in sorted(flat(tree)))
    kind = type(resource).__name__
    head = _head(kind, resource)
    table = Table("", (_("Field"), _("Value")), rows)
    return Panel(f"{kind} {resource.id}", _tone(resource), (head, table, Details("YAML", Code(yaml.dump(tree)))))


def fields(value: Any, label: str) -> Panel:
    """Build the panel of any other value with fields: a table of the set fields."""
    rows = tuple(row(name, text) for name, text in flat(as_json.to_json(value)) if text not in ("null", ""))
    return Panel(label, "idle", (Table("", (_("Field"), _("Value")), rows),))


def served(value: Served) -> Panel:
    """Build the panel of a version with its Python, libraries and protection, if known."""
    panel = describe(value.version)
    remarks = [text for text in (served_by(value.runtime), protection(value.runtime)) if text]
    head, *rest = panel.blocks
    return dataclasses.replace(panel, blocks=(head, *(line(muted(text)) for text in remarks), *rest))


def served_by(runtime: Mapping[str, Any]) -> str:
    """Describe the runtime: `served by Python 3.12.3 with scikit-learn 1.9.1 (/usr/bin/python3)`; empty if unknown."""
    if not runtime:
        return ""
    imported = dict(runtime.get("libraries") or {})
    python = f"Python {imported.pop('python', '')}".strip()
    libraries = ", ".join(f"{name} {version}" for name, version in imported.items())
    where = runtime.get("python") or ""
    if not libraries:
        return _("served by {python} ({where})", python=python, where=where)
    return _("served by {python} with {libraries} ({where})", python=python, libraries=libraries, where=where)


def protection(runtime: Mapping[str, Any]) -> str:
    """Describe what the code of the model cannot access: `protection: files, network (Landlock ABI 7, seccomp)`.

    Empty if unknown.
    """
    protected = runtime.get("protection") or {}
    if not protected:
        return ""
    reasons = {
        "not Linux": _("worker processes can be confined only on Linux"),
        "no Landlock": _("Landlock is not available on this system"),
        "no seccomp": _("seccomp filters are not available on this machine"),
        "threads": _("other threads were already running"),
    }
    parts = {"files": _("files"), "network": _("network"), "processes": _("processes")}
    names, why = ", ".join(name for part, name in parts.items() if protected.get(part)), protected.get("why")
    reason = reasons.get(why, _("the system refused to apply the protection")) if why else ""
    if not names:
        return _("protection: none; {reason}", reason=reason)
    if reason:
        return _("protection: {names} ({by}) only; {reason}", names=names, by=protected.get("by"), reason=reason)
    if protected.get("open"):
        return _("protection: {names} ({by}); custom code keeps network access", names=names, by=protected.get("by"))
    return _("protection: {names} ({by})", names=names, by=protected.get("by"))


def operation_state(operation: Operation) -> Mark:
    """The state of an operation: running, done or failed."""
    if operation.error is not None:
        return Mark("bad", formatting.status("failed"))
    return Mark("good", formatting.status("done")) if operation.done else Mark("busy", formatting.status("running"))


def version_state(version: Version) -> Mark:
    """The state of a version with its color; UNKNOWN without a state."""
    state = version.state or "UNKNOWN"
    return Mark(STATES.get(state, "idle"), state)


def _head(kind: str, resource: Version | Model | Operation) -> Line:
    named = (kind, strong(resource.id or _("(no name)")))
    if isinstance(resource, Version):
        return line(*named, version_state(resource), muted(_("default version")) if resource.isDefault else "")
    if isinstance(resource, Operation):
        return line(*named, operation_state(resource))
    default = resource.defaultVersion
    if default is None:
        return line(*named, _("no default version"))
    return line(*named, _("default version"), strong(default.id))


def _tone(resource: Version | Model | Operation) -> Tone:
    if isinstance(resource, Version):
        return version_state(resource).tone
    return operation_state(resource).tone if isinstance(resource, Operation) else "idle"


def flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield dotted name and text of every value in the tree: `autoScaling.minNodes`, `1`."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from flat(item, f"{name}.{key}" if name else key)
    elif isinstance(value, list) and any(isinstance(item, (Mapping, list)) for item in value):
        for index, item in enumerate(value):
            yield from flat(item, f"{name}[{index}]")
    else:
        yield name, _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_scalar, value))
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return "" if value == {} else str(value)
