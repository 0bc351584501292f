"""Rules about the signatures, versions and files of SavedModels, read from their protobuf without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping

from aip_magics import catalog
from aip_magics.artifacts import ModelDir, saved_models, tensorflow_files
from aip_magics.artifacts.facts import SavedModelFacts, Tensor
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.model_facts import get_model_file, requires_saved_model
from aip_magics.checks.outcome import Finding, Outcomes, Skipped
from aip_magics.checks.rule import advice, error, in_cloud, rule, warning
from aip_magics.i18n import gettext as _
from aip_magics.i18n import ngettext
from aip_magics.wording import join_names

_MAX_SHOWN = 5
_KERAS_EXPORT = (2, 13)  # the first TensorFlow whose Keras models have `export`


@rule("D05", "incomplete-saved-model", link=links.EXPORTING)
@requires_saved_model
def incomplete_saved_model(_context: CheckContext, _directory: ModelDir, facts: SavedModelFacts) -> Outcomes:
    """All files that the SavedModel needs must exist: its variables and assets."""
    if not facts.missing:
        return []
    names = ", ".join(facts.missing[:_MAX_SHOWN])
    fix = _("copy the complete export directory, including variables/ and assets/")
    return [error(facts.missing[0], _("the SavedModel is missing {names}", names=names), fix)]


@rule("D06", "missing-serving-signature", link=links.EXPORTING)
@requires_saved_model
def missing_serving_signature(_context: CheckContext, directory: ModelDir, facts: SavedModelFacts) -> Outcomes:
    """The SavedModel must have a graph with the tag `serve`, which must have at least one signature."""
    file = get_model_file(directory)
    if not facts.complete or (directory.model_file and tensorflow_files.is_graph(directory.model_file.path)):
        return []  # D07 reports it
    if not facts.serves:
        tags = "; ".join(", ".join(one[:_MAX_SHOWN]) for one in facts.tags[:_MAX_SHOWN])[:200]
        text = _("the SavedModel has no graph with exactly the tag serve; found: {tags}", tags=tags or "-")
        return [error(file, text, _export_fix(directory, facts))]
    if facts.signatures:
        return []
    text = _("the SavedModel has no signature: it loads but cannot serve predictions")
    return [error(file, text, _export_fix(directory, facts))]


@rule("D11", "variables-without-value", link=links.KERAS_VARIABLES)
@requires_saved_model
def variables_without_value(context: CheckContext, directory: ModelDir, facts: SavedModelFacts) -> Outcomes:
    """Every variable that a signature reads must be restored from variables/ or be initialized.

    Otherwise the model loads, and every prediction fails. tf.saved_model.save saves Keras 3 models that way, alone or
    inside of a tf.Module: model.export saves them completely.
    """
    file = directory.model_file
    graphs = context.graphs(file) if file and facts.variables and not context.is_custom else None
    if graphs is None:
        return Skipped(_("there are no variables to compare with the graph"))
    names = sorted({name for graph in graphs for name in saved_models.variables_without_value(graph)})
    if not names:
        return []
    shown = join_names(names)
    text = _("the model reads variables that were not saved, so every prediction fails: {names}", names=shown)
    if not any(graph.functions for graph in graphs):  # of TensorFlow 1
        fix = _("save the model with a tf.compat.v1.train.Saver() of all its variables")
    else:
        path = str(directory.path / "export")
        fix = _(
            "run model.export({path!r}) and deploy {path} (tf.saved_model.save does not save the variables of Keras 3"
            " models; for a function of your own, use keras.export.ExportArchive)",
            path=path,
        )
    return [error(get_model_file(directory), text, fix)]


@rule("A18", "tensorflow-too-new", link=links.TENSORFLOW_SKEW)
@requires_saved_model
def tensorflow_too_new(context: CheckContext, directory: ModelDir, facts: SavedModelFacts) -> Outcomes:
    """The TensorFlow of the runtime must have the operations of the SavedModel, and be as new as the one that saved it.

    A missing operation always fails the load. A model of a newer TensorFlow alone is only a warning: most of them load.
    """
    runtime = catalog.runtime(context.version.runtimeVersion or "")
    if runtime is None:
        return Skipped(_("no runtime version is set"))
    if missing := saved_models.lacking(facts.ops, runtime.tensorflow):
        return [in_cloud(context, get_model_file(directory), *_missing_operations(missing, runtime))]
    saved_with = facts.tensorflow_version
    if saved_with is None or not catalog.newer_than_runtime(
        "tensorflow", saved_with, runtime, context.version.pythonVersion
    ):
        return []
    text = _(
        "the model was saved with TensorFlow {wrote}; runtime {runtime} has {has}",
        wrote=saved_with,
        runtime=runtime.version,
        has=runtime.tensorflow,
    )
    fit = catalog.match_runtime("TENSORFLOW", saved_with)
    fix = f"runtimeVersion: '{fit.runtime}' ({fit.reason})"
    if fit.runtime == runtime.version:
        fix = _("run a local trial with --env runtime: the runtime has all operations of the model")
    return [in_cloud(context, get_model_file(directory), text, fix, "warning")]


@rule("R15", "output-name-breaks-table", link=links.OUTPUT_NAMES)
@requires_saved_model
def output_name_breaks_table(_context: CheckContext, directory: ModelDir, facts: SavedModelFacts) -> Outcomes:
    """Output names should not contain `/` or `:`, with which `gcloud ai-platform predict` cannot print its table."""
    named = [tensor.name for tensor in _outputs(facts) if "/" in tensor.name or ":" in tensor.name]
    if not named:
        return []
    text = _("output name {name} contains / or :, so gcloud cannot print a table", name=named[0])
    return [advice(get_model_file(directory), text, "gcloud ai-platform predict … --format=json")]


@rule("R18", "fixed-output-rows", link=links.API_PREDICT)
@requires_saved_model
def fixed_output_rows(_context: CheckContext, directory: ModelDir, facts: SavedModelFacts) -> Outcomes:
    """Every output must have one row per instance, so its first dimension must not be fixed.

    A scalar, or one result for the whole batch, cannot be split into predictions.
    """
    found: list[Finding] = []
    for tensor in _outputs(facts):
        if tensor.shape is None or (tensor.shape and tensor.shape[0] is None):
            continue
        fix = _("add a batch dimension to the output: shape (None, …)")
        if not tensor.shape:
            text = _(
                "output {name} is a single value for all instances and cannot be split into predictions",
                name=tensor.name,
            )
            found.append(error(get_model_file(directory), text, fix))
        else:
            text = ngettext(
                "output {name} always has {number} row, regardless of the number of instances",
                "output {name} always has {number} rows, regardless of the number of instances",
                tensor.shape[0] or 0,
                name=tensor.name,
            )
            found.append(warning(get_model_file(directory), text, fix))
    return found


@rule("R21", "bytes-output-as-text", link=links.API_PREDICT)
@requires_saved_model
def bytes_output_as_text(_context: CheckContext, directory: ModelDir, facts: SavedModelFacts) -> Outcomes:
    """Names of outputs with bytes must end in `_bytes`: only those are returned as base64, others as text."""
    named = [
        tensor.name for tensor in _outputs(facts) if tensor.dtype == "string" and not tensor.name.endswith("_bytes")
    ]
    if not named:
        return []
    text = _("output {name} is returned as text; bytes that are not valid UTF-8 fail", name=named[0])
    return [
        advice(
            get_model_file(directory),
            text,
            _("rename the output to {name} if it holds bytes", name=f"{named[0]}_bytes"),
        )
    ]


def _export_fix(directory: ModelDir, facts: SavedModelFacts) -> str:
    """Return how a Keras model and how a tf.Module are exported with a signature."""
    path = str(directory.path / "export")
    saved_with = catalog.parse_version(facts.tensorflow_version or "2.21")
    keras = f"model.export({path!r})" if saved_with >= _KERAS_EXPORT else f"model.save({path!r})"
    spec = "tf.TensorSpec([None, 4], tf.float32)"
    module = f"tf.saved_model.save(module, {path!r}, signatures=tf.function(module.f).get_concrete_function({spec}))"
    return _(
        "run {keras} for a Keras model, or {line} for a tf.Module with the function f, then deploy {path}",
        path=path,
        keras=keras,
        line=module,
    )


def _outputs(facts: SavedModelFacts) -> list[Tensor]:
    """Return the outputs of the default signature, else of all signatures."""
    default = facts.signature()
    signatures = [default] if default else facts.signatures
    return [tensor for signature in signatures for tensor in signature.outputs]


def _missing_operations(missing: Mapping[str, str | None], runtime: catalog.Runtime) -> tuple[str, str]:
    """Return the message and the fix for missing operations (name → the first TensorFlow that has it)."""
    ops = ", ".join(list(missing)[:_MAX_SHOWN])
    text = _(
        "TensorFlow {has} of runtime {runtime} does not have the operations {ops}",
        has=runtime.tensorflow,
        runtime=runtime.version,
        ops=ops,
    )
    since = [first for first in missing.values() if first is not None]
    if len(since) < len(missing):
        return text, _("export the model with only TensorFlow's own operations")
    required = max(since, key=catalog.parse_version)
    newer = [
        row for row in catalog.runtimes() if catalog.parse_version(row.tensorflow) >= catalog.parse_version(required)
    ]
    if newer:
        return text, f"runtimeVersion: '{newer[-1].version}'"
    return text, _("export the model with TensorFlow {has}", has=runtime.tensorflow)
