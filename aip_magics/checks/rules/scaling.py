"""Rules about the number of nodes and the metrics of scaling."""

from __future__ import annotations

from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Finding, Outcomes
from aip_magics.checks.rule import error, rule
from aip_magics.i18n import gettext as _
from aip_magics.spec import MetricSpec

_SCALING = "version.autoScaling"


@rule("N01", "metrics-on-mls1", link=links.API)
def metrics_on_mls1(context: CheckContext) -> Outcomes:
    """Metrics of autoScaling require N1 machines on a regional endpoint; MLS1 machines scale without metrics."""
    scaling = context.version.autoScaling
    if scaling is None or not scaling.metrics or context.family == "N1":
        return []
    text = _("MLS1 machines scale without metrics; metrics apply only to N1 machines on regional endpoints")
    return [error(f"{_SCALING}.metrics", text, _("omit {field}", field="metrics"))]


@rule("N02", "invalid-scaling-metric", link=links.API)
def invalid_scaling_metric(context: CheckContext) -> Outcomes:
    """The target of a metric must be a percentage from 0 to 100, and GPU_DUTY_CYCLE requires an accelerator."""
    scaling = context.version.autoScaling
    metrics = (scaling.metrics if scaling else None) or ()
    return [finding for index, metric in enumerate(metrics) for finding in _metric(context, index, metric)]


@rule("N03", "invalid-node-count", link=links.API)
def invalid_node_count(context: CheckContext) -> Outcomes:
    """minNodes must not be greater than maxNodes, and manual scaling must have at least one node."""
    scaling, manual = context.version.autoScaling, context.version.manualScaling
    found = []
    if scaling and scaling.minNodes and scaling.maxNodes is not None and scaling.minNodes > scaling.maxNodes:
        text = _("minNodes {least} is greater than maxNodes {most}", least=scaling.minNodes, most=scaling.maxNodes)
        found.append(error(f"{_SCALING}.maxNodes", text, f"maxNodes: {scaling.minNodes}"))
    if manual and manual.nodes is not None and manual.nodes < 1:
        text = _("manualScaling has {count} nodes, expected at least 1", count=manual.nodes)
        found.append(error("version.manualScaling.nodes", text, "nodes: 1"))
    return found


def _metric(context: CheckContext, index: int, metric: MetricSpec) -> list[Finding]:
    field = f"{_SCALING}.metrics[{index}]"
    found = []
    if metric.name == "GPU_DUTY_CYCLE" and context.version.acceleratorConfig is None:
        text = _("GPU_DUTY_CYCLE requires an accelerator")
        found.append(error(f"{field}.name", text, "name: CPU_USAGE"))
    if metric.target is not None and not 0 <= metric.target <= 100:
        text = _("target is {value}, expected a percentage from 0 to 100", value=metric.target)
        found.append(error(f"{field}.target", text, "target: 60"))
    return found
