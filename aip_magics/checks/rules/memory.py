"""Rules about what a model may not fit into, and files that custom code is known to stumble over."""

from __future__ import annotations

from pathlib import Path

from aip_magics import catalog
from aip_magics.artifacts import ModelDir
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Outcomes, Skipped
from aip_magics.checks.rule import on_directory, rule, warning
from aip_magics.i18n import gettext as _

_HDF5 = (".h5", ".hdf5", ".hdf", ".he5")
_SHARE = 0.5  # of the memory: the interpreter, the libraries and the request need the rest


@rule("A11", link=links.MEMORY)
@on_directory
def memory(context: CheckContext, directory: ModelDir) -> Outcomes:
    """Model and packages together take at most half of the machine's memory: MLS1 machines have 2 GB in all.

    The size of the files is the least that loading takes; compressed ones and packages take more.
    """
    if not context.target.is_cloud:
        return []
    name = context.version.machineType or catalog.default_machine_type(context.target.regional).name
    machine = catalog.machine_type(name)
    if machine is None:
        return Skipped(_("the memory of {machine} is not known", machine=name))
    files = [Path(uri).expanduser() for uri in context.version.packageUris or () if not uri.startswith("gs://")]
    size = directory.total_size + sum(file.stat().st_size for file in files if file.is_file())
    if size <= machine.memory_gb * _SHARE * 1024**3:
        return []
    text = _(
        "model and packages have {size} MB; {machine} has {memory} GB of memory for all",
        size=round(size / 1024**2),
        machine=name,
        memory=machine.memory_gb,
    )
    family = [row for row in catalog.machine_types() if row.family == machine.family]
    larger = next((row.name for row in family if row.memory_gb > machine.memory_gb), None)
    fix = f"machineType: {larger}" if larger else _("make it smaller: packages without GPU support, for one")
    return [warning("version.machineType", text, fix)]


@rule("A14", link=links.ROUTINES)
@on_directory
def hdf5_in_routine(context: CheckContext, directory: ModelDir) -> Outcomes:
    """The files of a custom prediction routine are no HDF5: a routine in the cloud failed to read such."""
    if context.version.predictionClass is None or not context.target.is_cloud:
        return []
    names = [file.name for file in directory.files if file.name.lower().endswith(_HDF5)]
    if not names:
        return []
    text = _("{name} is an HDF5 file: reading one in from_path is known to fail in the cloud", name=names[0])
    return [warning(names[0], text, _("save the weights in another format: joblib, or a SavedModel"))]
