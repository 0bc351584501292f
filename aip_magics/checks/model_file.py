"""Rules about the model file itself: is it a model at all, and one that the service takes."""

from __future__ import annotations

from aip_magics.artifacts import ModelDir
from aip_magics.checks import links
from aip_magics.checks.base import Finding, Outcomes, Skipped, Subject, error, on_directory, rule, warning


@rule("D01", link=links.GIT_LFS)
@on_directory
def git_lfs_pointer(_subject: Subject, directory: ModelDir) -> Outcomes:
    """The model file is not a Git LFS pointer: a small text in place of the file."""
    fix = "git lfs pull"
    return _of_format(directory, "git-lfs-pointer", "is a Git LFS pointer, not the model", fix)


@rule("D02", link=links.EXPORTING)
@on_directory
def web_page(_subject: Subject, directory: ModelDir) -> Outcomes:
    """The model file is not a web page: a download that ended at a login or an error."""
    fix = "download the model again, signed in"
    return _of_format(directory, "html", "is a web page, not a model: a download that went wrong", fix)


@rule("D03", link=links.EXPORTING)
@on_directory
def empty_file(_subject: Subject, directory: ModelDir) -> Outcomes:
    """The model file is not empty."""
    return _of_format(directory, "empty", "is empty (0 bytes)", "save the model again, and close the file")


@rule("A04", link=links.WRONG_OBJECT)
@on_directory
def object_type(subject: Subject, directory: ModelDir) -> Outcomes:
    """The pickled object is an estimator of scikit-learn or a model of XGBoost, as the framework says.

    The service looks for `sklearn`, or `xgboost`, in the module of its class. A literal (a dict, the list that dump
    returns) is an error; of a class under another name nothing is sure before it is loaded, so that only warns.
    """
    contents = directory.contents
    if subject.is_custom or contents is None or contents.format != "pickle":
        return []
    if contents.top is None:
        return Skipped(contents.unread or "the class of the pickled object cannot be told without loading it")
    module = contents.top.rpartition(".")[0]
    word = {"SCIKIT_LEARN": "sklearn", "XGBOOST": "xgboost"}.get(subject.framework or "")
    if word in module if word else ("sklearn" in module or "xgboost" in module):
        return []
    return [_wrong_object(subject, directory, contents.top)]


@rule("A07", link=links.XGBOOST_IO)
@on_directory
def wrapper_as_booster(subject: Subject, directory: ModelDir) -> Outcomes:
    """A model of XGBoost's scikit-learn interface (XGBClassifier …) is deployed as SCIKIT_LEARN.

    As XGBOOST it loads, but every prediction fails: it is handed a DMatrix.
    """
    contents = directory.contents
    if subject.version.framework != "XGBOOST" or contents is None or contents.top is None:
        return []
    if not contents.top.startswith("xgboost.sklearn."):
        return []
    text = (
        f"{contents.top.rpartition('.')[2]} is of XGBoost's scikit-learn interface; as XGBOOST every prediction fails"
    )
    fix = "--framework scikit-learn, or save model.get_booster()"
    return [error("version.framework", text, fix)]


def _of_format(directory: ModelDir, format: str, what: str, fix: str) -> Outcomes:
    file, contents = directory.model_file, directory.contents
    if file is None or contents is None:
        return Skipped("there is no single model file to look into")
    return [error(file.name, f"{file.name} {what}", fix)] if contents.format == format else []


def _wrong_object(subject: Subject, directory: ModelDir, top: str) -> Finding:
    file = directory.model_file.name if directory.model_file else str(directory.path)
    if top.startswith("builtins."):
        kind = top.rpartition(".")[2]
        return error(file, f"{file} holds a {kind}, not a model", "dump the estimator itself: joblib.dump(model, path)")
    if "sklearn" in top or "xgboost" in top:
        other = "scikit-learn" if "sklearn" in top else "xgboost"
        return error(
            "version.framework", f"{file} holds a {top}, not a model of {subject.framework}", f"--framework {other}"
        )
    text = f"{file} holds a {top}; only classes of scikit-learn and XGBoost are sure to be taken"
    return warning(file, text, "dump a scikit-learn estimator or pipeline, or an XGBoost model")
