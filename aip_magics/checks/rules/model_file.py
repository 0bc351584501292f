"""Rules about the model file itself: whether it is a model, and one that the service accepts."""

from __future__ import annotations

from collections.abc import Callable

from aip_magics.artifacts import ModelDir, tensorflow_files
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.export_fixes import graph_fix
from aip_magics.checks.model_facts import is_placeholder
from aip_magics.checks.outcome import Finding, Outcomes, Skipped
from aip_magics.checks.rule import error, on_directory, rule, warning
from aip_magics.i18n import gettext as _

_MAX_SHOWN = 5
_SAVED_MODEL_DIRS = ("variables/", "assets/")


@rule("D01", "git-lfs-pointer", link=links.GIT_LFS)
@on_directory
def git_lfs_pointer(_context: CheckContext, directory: ModelDir) -> Outcomes:
    """No file may be a Git LFS pointer, a small text in place of the file. An error for files of the model."""
    found = _placeholders(directory, "git-lfs-pointer")
    return [
        level(name, _("{file} is a Git LFS pointer, not the file itself", file=name), "git lfs pull")
        for name, level in found
    ]


@rule("D02", "web-page-as-file", link=links.EXPORTING)
@on_directory
def web_page_as_file(_context: CheckContext, directory: ModelDir) -> Outcomes:
    """No file may contain a web page, which is what a download saves that ended at a login or an error page."""
    fix = _("sign in and download the file again")
    return [
        level(name, _("{file} contains a web page, probably from a failed download", file=name), fix)
        for name, level in _placeholders(directory, "html")
    ]


@rule("D03", "empty-model-file", link=links.EXPORTING)
@on_directory
def empty_model_file(_context: CheckContext, directory: ModelDir) -> Outcomes:
    """The model file must not be empty."""
    file = directory.model_file
    if file is None:
        return Skipped(_("the directory does not have exactly one model file"))
    if file.size:
        return []
    text = _("{file} is empty (0 bytes)", file=file.name)
    return [error(file.name, text, _("save the model again and close the file"))]


@rule("D07", "unreadable-model-file", link=links.EXPORTING)
@on_directory
def unreadable_model_file(context: CheckContext, directory: ModelDir) -> Outcomes:
    """The format of the model file must match its name: a pickle, an XGBoost file or a SavedModel.

    A known other format is an error; an unrecognized format is a warning.
    """
    file, contents = directory.model_file, directory.contents
    if file is None or context.is_custom:
        return Skipped(_("the directory does not have exactly one model file"))
    if directory.saved_model is not None:
        if tensorflow_files.is_graph(file.path):
            text = _("{file} is a single graph (GraphDef), not a SavedModel", file=file.name)
            return [error(file.name, text, graph_fix(file.path, str(directory.path / "export")))]
        if directory.saved_model.complete or is_placeholder(directory, file):
            return []
        text = _("could not read {file}: {reason}", file=file.name, reason=directory.saved_model.unread)
        return [warning(file.name, text, _("export the model again and copy all of its files"))]
    if contents is None:
        return []
    if contents.format == "pickle" and file.name == "model.bst":
        return [
            error(
                file.name,
                _("{file} is a pickle, not an XGBoost file", file=file.name),
                "mv model.bst model.pkl",
            )
        ]
    if contents.format in ("hdf5", "zip"):
        text = _("{file} is a {format} file, not a model", file=file.name, format=contents.format)
        return [error(file.name, text, _("save the model with joblib.dump or booster.save_model"))]
    if contents.format == "unknown" and contents.complete:
        text = _("{file}: unrecognized file format", file=file.name)
        return [warning(file.name, text, _("save the model again and copy the complete file"))]
    return []


@rule("A04", "wrong-object-type", link=links.WRONG_OBJECT)
@on_directory
def wrong_object_type(context: CheckContext, directory: ModelDir) -> Outcomes:
    """The pickled object must be a scikit-learn estimator or an XGBoost model, as the framework says.

    The service searches the module of its class for `sklearn` or `xgboost`. A literal (a dict, or the list that dump
    returns) is an error; a class of another module is a warning, since only loading it shows whether it is a model.
    """
    contents = directory.contents
    if context.is_custom or contents is None or contents.format != "pickle":
        return []
    if contents.top is None:
        return Skipped(contents.unread or _("the class of the pickled object is unknown until the file is loaded"))
    module = contents.top.rpartition(".")[0]
    word = {"SCIKIT_LEARN": "sklearn", "XGBOOST": "xgboost"}.get(context.framework or "")
    if word in module if word else ("sklearn" in module or "xgboost" in module):
        return []
    return [_wrong_object(context, directory, contents.top)]


@rule("A07", "xgboost-wrapper-as-booster", link=links.XGBOOST_IO)
@on_directory
def xgboost_wrapper_as_booster(context: CheckContext, directory: ModelDir) -> Outcomes:
    """A model of XGBoost's scikit-learn interface (XGBClassifier …) must be deployed as SCIKIT_LEARN.

    Deployed as XGBOOST, the model loads, but every prediction fails because it gets a DMatrix.
    """
    contents = directory.contents
    if context.version.framework != "XGBOOST" or contents is None or contents.top is None:
        return []
    if not contents.top.startswith("xgboost.sklearn."):
        return []
    text = _(
        "{name} belongs to XGBoost's scikit-learn interface; deployed as XGBOOST, every prediction fails",
        name=contents.top.rpartition(".")[2],
    )
    fix = _("use --framework scikit-learn, or save model.get_booster()")
    return [error("version.framework", text, fix)]


def _placeholders(directory: ModelDir, kind: str) -> list[tuple[str, Callable[[str, str, str], Finding]]]:
    """Return the first few placeholder files, each with its severity: an error for files of the model."""
    names = [one.name for one in directory.stand_ins if one.kind == kind][:_MAX_SHOWN]
    parts = {file.name for file in directory.model_files}
    return [(name, error if name in parts or name.startswith(_SAVED_MODEL_DIRS) else warning) for name in names]


def _wrong_object(context: CheckContext, directory: ModelDir, top: str) -> Finding:
    file = directory.model_file.name if directory.model_file else str(directory.path)
    if top.startswith("builtins."):
        kind = top.rpartition(".")[2]
        return error(
            file,
            _("{file} contains a {kind}, not a model", file=file, kind=kind),
            _("dump the estimator itself: joblib.dump(model, path)"),
        )
    if "sklearn" in top or "xgboost" in top:
        other = "scikit-learn" if "sklearn" in top else "xgboost"
        return error(
            "version.framework",
            _("{file} contains a {top}, not a {framework} model", file=file, top=top, framework=context.framework),
            f"--framework {other}",
        )
    text = _(
        "{file} contains a {top}; only scikit-learn and XGBoost classes are known to be accepted", file=file, top=top
    )
    return warning(file, text, _("dump a scikit-learn estimator or pipeline, or an XGBoost model"))
