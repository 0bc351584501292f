"""The tables of Vertex AI as values: machine types with their accelerators, regions and limits."""

from __future__ import annotations

import dataclasses
import functools

from aip_magics.catalog.tables import read_table

_N1 = "n1-"


@dataclasses.dataclass(frozen=True)
class VertexMachineType:
    """A machine type of Vertex AI; `accelerator` and `accelerator_count` are those that are built in, if any."""

    name: str
    vcpus: int
    memory_gb: float
    accelerator: str | None = None
    accelerator_count: int = 0

    def accelerator_counts(self, accelerator: str) -> tuple[int, ...]:
        """The counts of an accelerator that the machine can have; empty if it cannot have that accelerator."""
        if self.accelerator:
            return (self.accelerator_count,) if accelerator == self.accelerator else ()
        if not self.name.startswith(_N1):
            return ()
        return tuple(read_table("vertex_machine_types")["optional"].get(accelerator, {}).get(str(self.vcpus), ()))


@dataclasses.dataclass(frozen=True)
class VertexLimits:
    """Limits of Vertex AI: sizes in bytes and characters, times in seconds."""

    payload_bytes_shared: int
    payload_bytes_dedicated: int
    display_name_chars: int
    model_id_chars: int
    alias_chars: int
    label_chars: int
    environment_variables: int
    environment_variable_bytes: int
    environment_bytes: int
    deployment_timeout_seconds: int


@functools.cache
def vertex_machine_types() -> tuple[VertexMachineType, ...]:
    """All machine types, by series, each from small to large; those with built-in accelerators last."""
    table = read_table("vertex_machine_types")
    return tuple(VertexMachineType(name, *row) for kind in ("cpu", "gpu") for name, row in table[kind].items())


def vertex_machine_type(name: str) -> VertexMachineType | None:
    """The machine type of this name, or None."""
    return next((row for row in vertex_machine_types() if row.name == name), None)


def default_vertex_machine_type() -> VertexMachineType:
    """What Vertex AI takes when no machine type is given."""
    name = read_table("vertex_machine_types")["default"]
    return next(row for row in vertex_machine_types() if row.name == name)


def vertex_accelerators() -> tuple[str, ...]:
    """The values of `acceleratorType`."""
    return tuple(read_table("vertex_machine_types")["accelerators"])


def optional_accelerators() -> tuple[str, ...]:
    """The accelerators that can be added to a machine, rather than being built in."""
    return tuple(read_table("vertex_machine_types")["optional"])


def vertex_regions() -> tuple[str, ...]:
    """The regions with online prediction."""
    return tuple(read_table("vertex_regions")["regions"])


def newer_vertex_regions() -> tuple[str, ...]:
    """Regions of the API that the list of regions with online prediction does not name yet."""
    return tuple(read_table("vertex_regions")["newer"])


def default_vertex_region() -> str:
    """The region to suggest when none is named."""
    return str(read_table("vertex_regions")["default"])


@functools.cache
def vertex_limits() -> VertexLimits:
    """The limits of Vertex AI."""
    return VertexLimits(**{name: row["value"] for name, row in read_table("vertex_limits").items()})
