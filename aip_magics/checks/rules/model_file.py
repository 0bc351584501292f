"""Rules about the model file itself: is it a model at all, and one that the service takes."""

from __future__ import annotations

from collections.abc import Callable

from aip_magics.artifacts import ModelDir
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Finding, Outcomes, Skipped
from aip_magics.checks.rule import error, on_directory, rule, warning
from aip_magics.i18n import gettext as _

_SHOWN = 5
_PARTS = ("variables/", "assets/")  # of a SavedModel


@rule("D01", link=links.GIT_LFS)
@on_directory
def git_lfs_pointer(_context: CheckContext, directory: ModelDir) -> Outcomes:
    """No file is a Git LFS pointer: a small text in place of the file. It is an error for files of the model."""
    found = _placeholders(directory, "git-lfs-pointer")
    return [
        level(name, _("{file} is a Git LFS pointer, not the file itself", file=name), "git lfs pull")
        for name, level in found
    ]


@rule("D02", link=links.EXPORTING)
@on_directory
def web_page(_context: CheckContext, directory: ModelDir) -> Outcomes:
    """No file is a web page under another name: a download that ended at a login or an error."""
    fix = _("download it again, signed in")
    return [
        level(name, _("{file}: it is a web page, not what its name says: a download that went wrong", file=name), fix)
        for name, level in _placeholders(directory, "html")
    ]


@rule("D03", link=links.EXPORTING)
@on_directory
def empty_file(_context: CheckContext, directory: ModelDir) -> Outcomes:
    """The model file is not empty."""
    file = directory.model_file
    if file is None:
        return Skipped(_("there is no single model file to look into"))
    if file.size:
        return []
    text = _("{file} is empty (0 bytes)", file=file.name)
    return [error(file.name, text, _("save the model again, and close the file"))]


@rule("D07", link=links.EXPORTING)
@on_directory
def readable_format(context: CheckContext, directory: ModelDir) -> Outcomes:
    """The model file is of the format that its name says: a pickle, a file of XGBoost, a SavedModel.

    What is known to be another format is an error; bytes of no known format only warn.
    """
    file, contents = directory.model_file, directory.contents
    if file is None or context.is_custom:
        return Skipped(_("there is no single model file to look into"))
    if directory.saved_model is not None:
        if directory.saved_model.complete:
            return []
        text = _("{file} cannot be read: {reason}", file=file.name, reason=directory.saved_model.unread)
        return [warning(file.name, text, _("export the model again, and copy it whole"))]
    if contents is None:
        return []
    if contents.format == "pickle" and file.name == "model.bst":
        return [
            error(
                file.name,
                _("{file} is a pickle, not a file of XGBoost", file=file.name),
                "mv model.bst model.pkl",
            )
        ]
    if contents.format in ("hdf5", "zip"):
        text = _("{file} is of the format {format}, not a model", file=file.name, format=contents.format)
        return [error(file.name, text, _("save the model with joblib.dump or booster.save_model"))]
    if contents.format == "unknown" and contents.complete:
        text = _("{file} is of no known format", file=file.name)
        return [warning(file.name, text, _("save the model again, and copy it whole"))]
    return []


@rule("A04", link=links.WRONG_OBJECT)
@on_directory
def object_type(context: CheckContext, directory: ModelDir) -> Outcomes:
    """The pickled object is an estimator of scikit-learn or a model of XGBoost, as the framework says.

    The service looks for `sklearn`, or `xgboost`, in the module of its class. A literal (a dict, the list that dump
    returns) is an error; of a class under another name nothing is sure before it is loaded, so that only warns.
    """
    contents = directory.contents
    if context.is_custom or contents is None or contents.format != "pickle":
        return []
    if contents.top is None:
        return Skipped(contents.unread or _("the class of the pickled object cannot be told without loading it"))
    module = contents.top.rpartition(".")[0]
    word = {"SCIKIT_LEARN": "sklearn", "XGBOOST": "xgboost"}.get(context.framework or "")
    if word in module if word else ("sklearn" in module or "xgboost" in module):
        return []
    return [_wrong_object(context, directory, contents.top)]


@rule("A07", link=links.XGBOOST_IO)
@on_directory
def wrapper_as_booster(context: CheckContext, directory: ModelDir) -> Outcomes:
    """A model of XGBoost's scikit-learn interface (XGBClassifier …) is deployed as SCIKIT_LEARN.

    As XGBOOST it loads, but every prediction fails: it is handed a DMatrix.
    """
    contents = directory.contents
    if context.version.framework != "XGBOOST" or contents is None or contents.top is None:
        return []
    if not contents.top.startswith("xgboost.sklearn."):
        return []
    text = _(
        "{name} is of XGBoost's scikit-learn interface; as XGBOOST every prediction fails",
        name=contents.top.rpartition(".")[2],
    )
    fix = _("--framework scikit-learn, or save model.get_booster()")
    return [error("version.framework", text, fix)]


def _placeholders(directory: ModelDir, kind: str) -> list[tuple[str, Callable[[str, str, str], Finding]]]:
    """The files that stand for others, the first few, and how bad that is: an error for what the model is made of."""
    names = [one.name for one in directory.stand_ins if one.kind == kind][:_SHOWN]
    parts = {file.name for file in directory.model_files}
    return [(name, error if name in parts or name.startswith(_PARTS) else warning) for name in names]


def _wrong_object(context: CheckContext, directory: ModelDir, top: str) -> Finding:
    file = directory.model_file.name if directory.model_file else str(directory.path)
    if top.startswith("builtins."):
        kind = top.rpartition(".")[2]
        return error(
            file,
            _("{file} holds a {kind}, not a model", file=file, kind=kind),
            _("dump the estimator itself: joblib.dump(model, path)"),
        )
    if "sklearn" in top or "xgboost" in top:
        other = "scikit-learn" if "sklearn" in top else "xgboost"
        return error(
            "version.framework",
            _("{file} holds a {top}, not a model of {framework}", file=file, top=top, framework=context.framework),
            f"--framework {other}",
        )
    text = _("{file} holds a {top}; only classes of scikit-learn and XGBoost are sure to be taken", file=file, top=top)
    return warning(file, text, _("dump a scikit-learn estimator or pipeline, or an XGBoost model"))
