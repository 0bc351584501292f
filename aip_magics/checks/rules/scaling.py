"""Rules about the number of nodes and what makes them scale."""

from __future__ import annotations

from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Finding, Outcomes
from aip_magics.checks.rule import error, rule
from aip_magics.i18n import gettext as _
from aip_magics.spec import MetricSpec

_SCALING = "version.autoScaling"


@rule("N01", link=links.API)
def metrics_need_n1(context: CheckContext) -> Outcomes:
    """Metrics of autoScaling are for N1 machines of regional endpoints; MLS1 machines follow the load by themselves."""
    scaling = context.version.autoScaling
    if scaling is None or not scaling.metrics or context.family == "N1":
        return []
    text = _("MLS1 machines scale without metrics: metrics are for N1 machines of regional endpoints")
    return [error(f"{_SCALING}.metrics", text, _("leave {field} out", field="metrics"))]


@rule("N02", link=links.API)
def metric_values(context: CheckContext) -> Outcomes:
    """The target of a metric is a percentage from 0 to 100, and GPU_DUTY_CYCLE needs an accelerator."""
    scaling = context.version.autoScaling
    metrics = (scaling.metrics if scaling else None) or ()
    return [finding for index, metric in enumerate(metrics) for finding in _metric(context, index, metric)]


@rule("N03", link=links.API)
def node_counts(context: CheckContext) -> Outcomes:
    """minNodes is not above maxNodes, and manual scaling has at least one node."""
    scaling, manual = context.version.autoScaling, context.version.manualScaling
    found = []
    if scaling and scaling.minNodes and scaling.maxNodes is not None and scaling.minNodes > scaling.maxNodes:
        text = _("minNodes {least} is above maxNodes {most}", least=scaling.minNodes, most=scaling.maxNodes)
        found.append(error(f"{_SCALING}.maxNodes", text, f"maxNodes: {scaling.minNodes}"))
    if manual and manual.nodes is not None and manual.nodes < 1:
        text = _("manualScaling has {count} nodes", count=manual.nodes)
        found.append(error("version.manualScaling.nodes", text, "nodes: 1"))
    return found


def _metric(context: CheckContext, index: int, metric: MetricSpec) -> list[Finding]:
    field = f"{_SCALING}.metrics[{index}]"
    found = []
    if metric.name == "GPU_DUTY_CYCLE" and context.version.acceleratorConfig is None:
        text = _("GPU_DUTY_CYCLE needs an accelerator")
        found.append(error(f"{field}.name", text, "name: CPU_USAGE"))
    if metric.target is not None and not 0 <= metric.target <= 100:
        text = _("the target is {value}; a percentage from 0 to 100 is wanted", value=metric.target)
        found.append(error(f"{field}.target", text, "target: 60"))
    return found
