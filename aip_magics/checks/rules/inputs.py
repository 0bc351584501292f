"""Rules about the inputs of SavedModels: what a request with a list of instances can feed."""

from __future__ import annotations

from aip_magics.artifacts import ModelDir
from aip_magics.artifacts.facts import SavedModelFacts, Signature
from aip_magics.artifacts.saved_models import Graph
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.model_facts import get_model_file, requires_saved_model
from aip_magics.checks.outcome import Finding, Outcomes, Skipped
from aip_magics.checks.rule import error, rule, warning
from aip_magics.i18n import gettext as _
from aip_magics.i18n import ngettext

_WRAPPER = "__inference_signature_wrapper"  # how TensorFlow names the functions of signatures


@rule("R22", "input-without-batch", link=links.API_PREDICT)
@requires_saved_model
def input_without_batch(context: CheckContext, directory: ModelDir, facts: SavedModelFacts) -> Outcomes:
    """Every input must have a batch dimension of any size: a request sends it a list with one value per instance.

    Reported are inputs that take a single value for all instances, unless they have a default value and can be omitted,
    and inputs that take an exact number of instances. Only the signature of the test request, or else the one used by
    default, is checked.
    """
    signature = _checked_signature(context, facts)
    graph = _graph(context)
    if signature is None or graph is None:
        return Skipped(_("the signature was not found"))
    file = get_model_file(directory)
    required = {node.name for node in graph.nodes if node.op == "Placeholder"}
    found: list[Finding] = []
    fixed_outputs = any(tensor.shape and tensor.shape[0] is not None for tensor in signature.outputs)  # R18 reports it
    for tensor in signature.inputs:
        if tensor.shape is None or tensor.source.partition(":")[0] not in required:
            continue
        spec = f"tf.TensorSpec([{', '.join(['None', *map(str, tensor.shape[1:])])}], tf.{tensor.dtype})"
        fix = _("export the model with {spec} for the input {name}", spec=spec, name=tensor.name)
        if not tensor.shape:
            text = _(
                "input {name} takes a single value, but online prediction sends a list with one value per instance",
                name=tensor.name,
            )
            found.append(error(file, text, fix))
        elif tensor.shape[0] is not None and not fixed_outputs:
            text = ngettext(
                "input {name} takes exactly {number} instance per request",
                "input {name} takes exactly {number} instances per request",
                tensor.shape[0],
                name=tensor.name,
            )
            found.append(warning(file, text, fix))
    return found


@rule("R23", "input-of-several-tensors", link=links.API_PREDICT)
@requires_saved_model
def input_of_several_tensors(context: CheckContext, directory: ModelDir, facts: SavedModelFacts) -> Outcomes:
    """The signature must not take ragged or sparse tensors: their parts have no value per instance."""
    signature = _checked_signature(context, facts)
    kind = get_composite_kind(context, signature) if signature else ""
    if signature is None or not kind:
        return []
    names = ", ".join(tensor.name for tensor in signature.inputs)
    text = _(
        "the signature takes a {kind}, whose parts ({names}) have no value per instance: no request can have them",
        kind=kind.removesuffix("Spec"),
        names=names,
    )
    fix = _(
        "export the model with a dense input, tf.TensorSpec([None, None], ...), and convert it inside of the function:"
        " {line}",
        line="tf.sparse.from_dense(x)" if kind.startswith("Sparse") else "tf.RaggedTensor.from_tensor(x, padding=0)",
    )
    return [error(get_model_file(directory), text, fix)]


def get_composite_kind(context: CheckContext, signature: Signature) -> str:
    """Return the class of an input of the signature that consists of several tensors (`RaggedTensorSpec`), or ""."""
    graph = _graph(context)
    if graph is None or not graph.composites:
        return ""
    outputs = {tensor.source.partition(":")[0] for tensor in signature.outputs}
    wrappers = [name for node in graph.nodes if node.name in outputs for name in node.functions]
    for wrapper in wrappers:
        if wrapper.startswith(_WRAPPER) and wrapper in graph.functions:
            called = [name for node in graph.functions[wrapper].nodes for name in node.functions]
            if kinds := [graph.composites[name] for name in called if name in graph.composites]:
                return kinds[0]
    return ""


def _checked_signature(context: CheckContext, facts: SavedModelFacts) -> Signature | None:
    name = context.test_keys.get("signature_name")
    return facts.signature(name if isinstance(name, str) else None)


def _graph(context: CheckContext) -> Graph | None:
    """Return the graph that is served; None if there is none, or if the user's own code loads it."""
    file = context.model_dir.model_file if context.model_dir else None
    graphs = context.graphs(file) if file and not context.is_custom else None
    return graphs[0] if graphs else None
