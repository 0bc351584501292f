"""Rules about machine types, their accelerators, and the number of replicas."""

from __future__ import annotations

from collections.abc import Iterable

from aip_magics import catalog
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Finding, Outcomes, Skipped
from aip_magics.checks.rule import error, rule, warning
from aip_magics.i18n import gettext as _
from aip_magics.spec import nearest
from aip_magics.targets.vertex import links
from aip_magics.targets.vertex.image_choice import is_own_image
from aip_magics.targets.vertex.rules.images import serving_image

_MACHINE = "version.machineType"
_ACCELERATOR = "version.acceleratorConfig"
_TPU_MACHINES = ("ct",)  # ct5lp-hightpu-1t: on a page of their own, not in the table


@rule("V28", "unavailable-machine", link=links.COMPUTE, target="vertex")
def unavailable_machine(context: CheckContext) -> Outcomes:
    """The machine type must be one of Vertex AI's; it has no MLS1 machines, which were those of AI Platform.

    An unknown machine of a known series is only a warning: Google adds machine types. Machines with TPUs are not
    checked.
    """
    name = context.version.machineType
    if name is None or catalog.vertex_machine_type(name):
        return []
    if name.startswith(_TPU_MACHINES):
        return Skipped(_("the machine types with TPUs are not in the table"))
    names = [machine.name for machine in catalog.vertex_machine_types()]
    default = catalog.default_vertex_machine_type().name
    if name.startswith("mls1-"):
        text = _("{name} is a machine of AI Platform, which Vertex AI does not have", name=name)
        return [error(_MACHINE, text, f"machineType: {default}")]
    series = {one.partition("-")[0] for one in names}
    level = warning if name.partition("-")[0] in series else error
    fix = nearest(name, names) or f"machineType: {default}"
    return [level(_MACHINE, _("{name} is not in the list of Vertex AI's machine types", name=name), fix)]


@rule("V29", "unfitting-accelerator", link=links.ACCELERATOR_COUNT, target="vertex")
def unfitting_accelerator(context: CheckContext) -> Outcomes:
    """The accelerator and its count must fit the machine type, and only TensorFlow and containers use accelerators.

    N1 machines take one of four kinds of GPU, in certain numbers; a2, a3, a4, g2 and g4 machines have their own.
    """
    config = context.version.acceleratorConfig
    if config is None:
        return []
    if config.type is None:
        one_of = _one_of(catalog.optional_accelerators())
        return [error(f"{_ACCELERATOR}.type", _("{name} is required", name="type"), one_of)]
    if config.type not in catalog.vertex_accelerators():
        fix = nearest(config.type, list(catalog.vertex_accelerators())) or _one_of(catalog.optional_accelerators())
        return [error(f"{_ACCELERATOR}.type", _("unknown accelerator {type!r}", type=config.type), fix)]
    image = serving_image(context)
    framework = image.framework if image else context.framework
    if framework and catalog.cpu_only(framework) and not is_own_image(context.version):
        text = _("{framework} models are served without accelerators", framework=framework)
        return [error(_ACCELERATOR, text, _("omit {field}", field="acceleratorConfig"))]
    name = context.version.machineType or catalog.default_vertex_machine_type().name
    machine = catalog.vertex_machine_type(name)
    if machine is None or config.type.startswith("TPU"):
        return Skipped(_("the accelerators of {machine} are unknown", machine=name))
    return _count(machine, config.type, config.count if config.count is not None else 1)


@rule("V31", "no-scaling-to-zero", link=links.SCALING, target="vertex")
def no_scaling_to_zero(context: CheckContext) -> Outcomes:
    """minNodes must be at least 1: Vertex AI keeps one replica, which is billed, for as long as the model is deployed.

    AI Platform's MLS1 machines scaled to zero. Vertex AI does so only in a preview of another version of its API.
    """
    scaling = context.version.autoScaling
    if scaling is None or scaling.minNodes is None or scaling.minNodes >= 1:
        return []
    text = _(
        "minNodes is {minNodes}, but Vertex AI keeps at least one replica, which is billed", minNodes=scaling.minNodes
    )
    return [error("version.autoScaling.minNodes", text, "minNodes: 1")]


def _count(machine: catalog.VertexMachineType, accelerator: str, count: int) -> list[Finding]:
    counts = machine.accelerator_counts(accelerator)
    if count in counts:
        return []
    if counts:
        text = _(
            "{machine} does not take {count} of {accelerator}, but {counts}",
            machine=machine.name,
            count=count,
            accelerator=accelerator,
            counts=", ".join(map(str, counts)),
        )
        return [
            error(f"{_ACCELERATOR}.count", text, f"count: {next((one for one in counts if one > count), counts[-1])}")
        ]
    text = _("{machine} does not take accelerator {accelerator}", machine=machine.name, accelerator=accelerator)
    others = [one for one in catalog.vertex_machine_types() if count in one.accelerator_counts(accelerator)]
    if others:
        other = next((one for one in others if one.vcpus >= machine.vcpus), others[-1])
        return [error(_MACHINE, text, f"machineType: {other.name}")]
    own = [machine.accelerator] if machine.accelerator else catalog.optional_accelerators()
    return [error(f"{_ACCELERATOR}.type", text, _one_of(own))]


def _one_of(names: Iterable[str]) -> str:
    return _("use one of {names}", names=", ".join(names))
