"""Rules about SavedModels: what their protobuf says of signatures, versions and files. TensorFlow is not needed."""

from __future__ import annotations

from collections.abc import Mapping

from aip_magics import catalog
from aip_magics.artifacts import ModelDir, saved_models
from aip_magics.artifacts.facts import SavedModelFacts, Tensor
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.model_facts import get_model_file, requires_saved_model
from aip_magics.checks.outcome import Finding, Outcomes, Skipped
from aip_magics.checks.rule import advice, error, in_cloud, rule, warning
from aip_magics.i18n import gettext as _

_SHOWN = 5


@rule("D05", link=links.EXPORTING)
@requires_saved_model
def saved_model_whole(_context: CheckContext, _directory: ModelDir, facts: SavedModelFacts) -> Outcomes:
    """All files that the SavedModel needs are there: its variables and assets."""
    if not facts.missing:
        return []
    names = ", ".join(facts.missing[:5])
    fix = _("copy the whole directory of the export, with its folders variables/ and assets/")
    return [error(facts.missing[0], _("the SavedModel lacks {names}", names=names), fix)]


@rule("D06", link=links.EXPORTING)
@requires_saved_model
def serving_signature(_context: CheckContext, directory: ModelDir, facts: SavedModelFacts) -> Outcomes:
    """The SavedModel has a graph with the tag `serve`, and that has at least one signature."""
    file = get_model_file(directory)
    if not facts.serves:
        tags = "; ".join(", ".join(one[:_SHOWN]) for one in facts.tags[:_SHOWN])[:200]
        text = _("no graph of the SavedModel has exactly the tag serve (there are: {tags})", tags=tags or "-")
        return [error(file, text, "tf.saved_model.save(model, path)")]
    if facts.signatures:
        return []
    text = _("the SavedModel has no signature: it can be loaded, but not asked")
    fix = "tf.saved_model.save(model, path, signatures=model.call.get_concrete_function(spec))"
    return [error(file, text, fix)]


@rule("A18", link=links.TENSORFLOW_SKEW)
@requires_saved_model
def operations(context: CheckContext, directory: ModelDir, facts: SavedModelFacts) -> Outcomes:
    """The TensorFlow of the runtime has the operations of the SavedModel, and is as new as the one that wrote it.

    An operation that it does not have ends the load for certain. A newer TensorFlow alone only warns: most of its
    models load.
    """
    runtime = catalog.runtime(context.version.runtimeVersion or "")
    if runtime is None:
        return Skipped(_("no runtime version is named"))
    if lacking := saved_models.lacking(facts.ops, runtime.tensorflow):
        return [in_cloud(context, get_model_file(directory), *_lacking(lacking, runtime))]
    wrote = facts.tensorflow_version
    if wrote is None or not catalog.newer_than_runtime("tensorflow", wrote, runtime, context.version.pythonVersion):
        return []
    text = _(
        "the model is of TensorFlow {wrote}, runtime {runtime} has {has}",
        wrote=wrote,
        runtime=runtime.version,
        has=runtime.tensorflow,
    )
    fit = catalog.match_runtime("TENSORFLOW", wrote)
    fix = f"runtimeVersion: '{fit.runtime}' ({fit.reason})"
    if fit.runtime == runtime.version:
        fix = _("its operations are all there: try it with --env runtime")
    return [in_cloud(context, get_model_file(directory), text, fix, "warning")]


@rule("R15", link=links.OUTPUT_NAMES)
@requires_saved_model
def output_names(_context: CheckContext, directory: ModelDir, facts: SavedModelFacts) -> Outcomes:
    """No output is named with `/` or `:`, on which `gcloud ai-platform predict` stops when it draws its table."""
    named = [tensor.name for tensor in _outputs(facts) if "/" in tensor.name or ":" in tensor.name]
    if not named:
        return []
    text = _("the output {name} has / or : in its name: gcloud cannot draw a table of it", name=named[0])
    return [advice(get_model_file(directory), text, "gcloud ai-platform predict … --format=json")]


@rule("R18", link=links.API_PREDICT)
@requires_saved_model
def one_output_each(_context: CheckContext, directory: ModelDir, facts: SavedModelFacts) -> Outcomes:
    """Every output has one row for each instance: its first size is not fixed.

    A scalar, or one result for the whole batch, cannot be cut into predictions.
    """
    found: list[Finding] = []
    for tensor in _outputs(facts):
        if tensor.shape is None or (tensor.shape and tensor.shape[0] is None):
            continue
        fix = _("give the output a first dimension of the batch: shape (None, …)")
        if not tensor.shape:
            text = _(
                "the output {name} is one value for all instances: it cannot be cut into predictions", name=tensor.name
            )
            found.append(error(get_model_file(directory), text, fix))
        else:
            found.append(warning(get_model_file(directory), _always(tensor.name, tensor.shape[0]), fix))
    return found


@rule("R21", link=links.API_PREDICT)
@requires_saved_model
def bytes_outputs(_context: CheckContext, directory: ModelDir, facts: SavedModelFacts) -> Outcomes:
    """Outputs of bytes have names that end in `_bytes`: only those come back as base64, others as text."""
    named = [
        tensor.name for tensor in _outputs(facts) if tensor.dtype == "string" and not tensor.name.endswith("_bytes")
    ]
    if not named:
        return []
    text = _("the output {name} comes back as text; bytes that are no text fail", name=named[0])
    return [advice(get_model_file(directory), text, _("for bytes, name it {name}", name=f"{named[0]}_bytes"))]


def _outputs(facts: SavedModelFacts) -> list[Tensor]:
    """The outputs of the signature that is asked by default, else of all."""
    asked = facts.signature()
    return [tensor for one in ([asked] if asked else facts.signatures) for tensor in one.outputs]


def _always(name: str, count: int | None) -> str:
    if count == 1:
        return _("the output {name} always has 1 row, whatever the number of instances", name=name)
    return _("the output {name} always has {count} rows, whatever the number of instances", name=name, count=count)


def _lacking(lacking: Mapping[str, str | None], runtime: catalog.Runtime) -> tuple[str, str]:
    """What is wrong, and how to mend it, where these operations (→ the first TensorFlow with it) are not there."""
    ops = ", ".join(list(lacking)[:_SHOWN])
    text = _(
        "TensorFlow {has} of runtime {runtime} does not have the operations {ops}",
        has=runtime.tensorflow,
        runtime=runtime.version,
        ops=ops,
    )
    since = [first for first in lacking.values() if first is not None]
    if len(since) < len(lacking):
        return text, _("export the model without operations that are not TensorFlow's own")
    wanted = max(since, key=catalog.parse_version)
    newer = [
        row for row in catalog.runtimes() if catalog.parse_version(row.tensorflow) >= catalog.parse_version(wanted)
    ]
    if newer:
        return text, f"runtimeVersion: '{newer[-1].version}'"
    return text, _("export it with TensorFlow {has}", has=runtime.tensorflow)
