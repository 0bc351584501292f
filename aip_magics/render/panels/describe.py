"""A Version, Model or Operation: its set fields as a table, and the YAML that gcloud would print."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aip_magics.render.blocks import Code, Details, Line, Mark, Panel, Table, Tone, line, muted, row, strong
from aip_magics.spec import Model, Operation, Version

STATES: dict[str, Tone] = {
    "READY": "good", "FAILED": "bad", "CREATING": "busy", "UPDATING": "busy", "DELETING": "busy",
}  # fmt: skip


def describe(resource: Version | Model | Operation) -> Panel:
    """The panel of one resource."""
    from aip_magics.render import yaml  # PyYAML is loaded by whoever describes something

    tree = yaml.tree(resource)
    rows = tuple(row(name, value) for name, value in sorted(_flat(tree)))
    kind = type(resource).__name__
    head = _head(kind, resource)
    table = Table("", ("Field", "Value"), rows)
    return Panel(f"{kind} {resource.id}", _tone(resource), (head, table, Details("YAML", Code(yaml.dump(tree)))))


def operation_state(operation: Operation) -> Mark:
    """How the operation stands: running, done or failed."""
    if operation.error is not None:
        return Mark("bad", "failed")
    return Mark("good", "done") if operation.done else Mark("busy", "running")


def version_state(version: Version) -> Mark:
    """The version's state with its colour; UNKNOWN when the service did not say."""
    state = version.state or "UNKNOWN"
    return Mark(STATES.get(state, "idle"), state)


def _head(kind: str, resource: Version | Model | Operation) -> Line:
    named = (kind, strong(resource.id or "(no name)"))
    if isinstance(resource, Version):
        return line(*named, version_state(resource), muted("default version") if resource.isDefault else "")
    if isinstance(resource, Operation):
        return line(*named, operation_state(resource))
    default = resource.defaultVersion
    return line(*named, "default version" if default else "no default version", strong(default.id) if default else "")


def _tone(resource: Version | Model | Operation) -> Tone:
    if isinstance(resource, Version):
        return version_state(resource).tone
    return operation_state(resource).tone if isinstance(resource, Operation) else "idle"


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flat(item, f"{name}.{key}" if name else key)
    elif isinstance(value, list) and any(isinstance(item, (Mapping, list)) for item in value):
        for index, item in enumerate(value):
            yield from _flat(item, f"{name}[{index}]")
    else:
        yield name, _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_scalar, value))
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return "" if value == {} else str(value)
