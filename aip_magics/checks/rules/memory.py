"""Rules about the size of a model in memory, and about files that custom code is known to fail on."""

from __future__ import annotations

from aip_magics import catalog
from aip_magics.artifacts import ModelDir
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Outcomes, Skipped
from aip_magics.checks.rule import on_directory, rule, warning
from aip_magics.i18n import gettext as _

_HDF5 = (".h5", ".hdf5", ".hdf", ".he5")
SHARE = 0.5  # of the memory: the interpreter, the libraries and the request need the rest


@rule("A11", "model-exceeds-memory", link=links.MEMORY)
@on_directory
def model_exceeds_memory(context: CheckContext, directory: ModelDir) -> Outcomes:
    """The model and its packages must not take more than half of the machine's memory; MLS1 machines have 2 GB.

    Loading takes at least the size of the files; compressed files and packages take more.
    """
    if not context.enforces_limits:
        return []
    name = context.version.machineType or catalog.default_machine_type(context.target.regional).name
    machine = catalog.machine_type(name)
    if machine is None:
        return Skipped(_("the memory size of {machine} is unknown", machine=name))
    size = context.size_with_packages(directory)
    if size <= machine.memory_gb * SHARE * 1024**3:
        return []
    text = _(
        "the model and its packages take {size} MB; {machine} has {memory} GB of memory in total",
        size=round(size / 1024**2),
        machine=name,
        memory=machine.memory_gb,
    )
    family = [row for row in catalog.machine_types() if row.family == machine.family]
    larger = next((row.name for row in family if row.memory_gb > machine.memory_gb), None)
    fix = f"machineType: {larger}" if larger else _("reduce the size, for example with packages without GPU support")
    return [warning("version.machineType", text, fix)]


@rule("A14", "hdf5-in-routine", link=links.ROUTINES)
@on_directory
def hdf5_in_routine(context: CheckContext, directory: ModelDir) -> Outcomes:
    """A custom prediction routine must not use HDF5 files: reading them has failed in the cloud."""
    if context.version.predictionClass is None or not context.target.is_cloud:
        return []
    names = [file.name for file in directory.files if file.name.lower().endswith(_HDF5)]
    if not names:
        return []
    text = _("{name} is an HDF5 file, which from_path is known to fail to read in the cloud", name=names[0])
    return [warning(names[0], text, _("save the weights in another format, such as joblib or a SavedModel"))]
