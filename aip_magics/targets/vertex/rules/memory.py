"""Rules about the memory of the machine: by the size of the files, and by what the model took in a local trial."""

from __future__ import annotations

from aip_magics import catalog
from aip_magics.artifacts import ModelDir
from aip_magics.checks.context import CheckContext, TrialResult
from aip_magics.checks.outcome import Outcomes, Skipped
from aip_magics.checks.rule import on_directory, rule, warning
from aip_magics.checks.rules.memory import SHARE
from aip_magics.checks.rules.trial_results import memory_excess, not_measured, on_trial
from aip_magics.i18n import gettext as _
from aip_magics.targets.vertex import links

_MACHINE = "version.machineType"
_GB = 1000**3


@rule("V42", "model-exceeds-machine", link=links.COMPUTE, target="vertex")
@on_directory
def model_exceeds_machine(context: CheckContext, directory: ModelDir) -> Outcomes:
    """The model and its packages must not take more than half of the memory of the machine.

    Loading takes at least the size of the files; compressed files and packages take more.
    """
    machine = _machine(context)
    if isinstance(machine, Skipped):
        return machine
    size = context.size_with_packages(directory)
    if size <= machine.memory_gb * SHARE * 1024**3:
        return []
    text = _(
        "the model and its packages take {size} MB; {machine} has {memory:g} GB of memory in total",
        size=round(size / 1024**2),
        machine=machine.name,
        memory=machine.memory_gb,
    )
    return [warning(_MACHINE, text, _larger(machine, size / SHARE))]


@rule("V43", "trial-exceeds-machine", link=links.COMPUTE, target="vertex")
@on_trial
def trial_exceeds_machine(context: CheckContext, trial: TrialResult) -> Outcomes:
    """The process with the loaded model must need less memory than the machine has.

    The image may run several such processes, and the system needs some memory, so this is only a warning.
    """
    machine = _machine(context)
    if isinstance(machine, Skipped):
        return machine
    if trial.memory_bytes is None:
        return not_measured(trial)
    text = memory_excess(trial.memory_bytes, machine.name, machine.memory_gb)
    return [warning(_MACHINE, text, _larger(machine, trial.memory_bytes))] if text else []


def _machine(context: CheckContext) -> catalog.VertexMachineType | Skipped:
    name = context.version.machineType
    machine = catalog.vertex_machine_type(name) if name else catalog.default_vertex_machine_type()
    return machine or Skipped(_("the memory size of {machine} is unknown", machine=name))


def _larger(machine: catalog.VertexMachineType, needed: float) -> str:
    """Return the smallest machine type of the same series with this memory in bytes, else that of any series."""
    larger = [one for one in catalog.vertex_machine_types() if one.memory_gb * _GB > needed and not one.accelerator]
    series = machine.name.partition("-")[0]
    of_series = [one for one in larger if one.name.partition("-")[0] == series]
    found = min(of_series or larger, key=lambda one: one.memory_gb, default=None)
    if found is None:
        return _("no machine type has enough memory; reduce the model size")
    return f"machineType: {found.name}"
