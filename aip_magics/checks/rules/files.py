"""Rules about the files of the model directory: their presence, names, number and size."""

from __future__ import annotations

import shlex
from collections.abc import Collection

from aip_magics import catalog
from aip_magics.artifacts import MODEL_FILES, ModelDir, NearMiss
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.export_fixes import export_fix
from aip_magics.checks.outcome import Outcomes
from aip_magics.checks.rule import advice, error, on_directory, over_limit, rule
from aip_magics.checks.rules.project_files import fix_environments
from aip_magics.checks.rules.wrong_formats import unpack_line
from aip_magics.i18n import gettext as _
from aip_magics.i18n import ngettext

_FILE_SUFFIXES = (".pb", ".pbtxt", ".pkl", ".joblib", ".bst", ".h5", ".keras")
_FILE_NAMES = {
    "TENSORFLOW": ("saved_model.pb", "saved_model.pbtxt"),
    "SCIKIT_LEARN": ("model.joblib", "model.pkl"),
    "XGBOOST": ("model.bst", "model.joblib", "model.pkl"),
}


@rule("D31", "unusable-directory", link=links.DEPLOYING)
def unusable_directory(context: CheckContext) -> Outcomes:
    """The model directory must exist, be readable, and contain the files of a model."""
    problem = context.unusable
    if problem is None:
        return []
    fix = problem.fix or _("use a directory that contains the model")
    named = not problem.where or problem.where in problem.message
    return [error("origin" if named else problem.where, problem.message, fix)]


@rule("A06", "multiple-model-files", link=links.EXPORTING)
@on_directory
def multiple_model_files(context: CheckContext, directory: ModelDir) -> Outcomes:
    """If the directory has several model files, the framework must be set to choose one of them."""
    if _requested_framework(context) or _names_no_framework(context) or len(directory.model_files) < 2:
        return []
    text = _("found several model files: {names}", names=_names(directory))
    return [error(str(directory.path), text, _("keep one file, or choose the model with --framework"))]


@rule("S02", "invalid-saved-model-directory", link=links.WRONG_LEVEL)
@on_directory
def invalid_saved_model_directory(context: CheckContext, directory: ModelDir) -> Outcomes:
    """A TensorFlow model is a directory that directly contains exactly one of saved_model.pb and saved_model.pbtxt.

    An export base, whose subdirectories are named by a time, is one level too high.
    """
    framework = _requested_framework(context)
    if _names_no_framework(context) or framework not in (None, "TENSORFLOW"):
        return []
    expected = _FILE_NAMES["TENSORFLOW"]
    count = len(_present(directory, expected))
    if newest := directory.newest_export:
        text = _("the directory is an export base; the model is in a subdirectory")
        return [
            error(
                str(directory.path),
                text,
                _("use the newest export: --origin {path}", path=shlex.quote(str(directory.path / newest))),
            )
        ]
    if framework is None or count == 1 or (not count and _needs_export(context, directory)):
        return []
    if not count and directory.ignored_models:
        return []
    text = _("expected exactly one of {wanted}, got {count}", wanted=", ".join(expected), count=count or _("none"))
    fix = _rename(directory, expected) or _unpack(directory) or _("export the model as a SavedModel")
    return [error(str(directory.path), text, fix)]


@rule("A19", "unexported-model", link=links.EXPORTING)
@on_directory
def unexported_model(context: CheckContext, directory: ModelDir) -> Outcomes:
    """A model of TensorFlow in another format must be exported as a SavedModel first.

    Found are Keras files, files of weights, checkpoints, frozen graphs, and models that were converted to TensorFlow
    Lite, TensorFlow.js or ONNX.
    """
    near = _needs_export(context, directory)
    if near is None:
        return []
    text = _("{name} {why}; only a SavedModel can be served", name=near.name, why=near.why)
    return [error(near.name, text, export_fix(directory, near))]


@rule("S03", "wrong-model-file-name", link=links.WRONG_NAME)
@on_directory
def wrong_model_file_name(context: CheckContext, directory: ModelDir) -> Outcomes:
    """The model file must be named exactly model.joblib, model.pkl or model.bst, and be the only one of them."""
    framework = _requested_framework(context)
    if _names_no_framework(context) or framework == "TENSORFLOW" or directory.newest_export:
        return []
    expected = _FILE_NAMES.get(framework or "", tuple(MODEL_FILES))
    present = _present(directory, expected)
    if framework and len(present) > 1:
        text = _(
            "expected exactly one of {wanted}, got {present}",
            wanted=", ".join(expected),
            present=", ".join(present),
        )
        return [error(str(directory.path), text, _("remove {present}", present=present[1]))]
    if present or not directory.near_misses or directory.ignored_models or _needs_export(context, directory):
        return []
    near = directory.near_misses[0]
    fix = _rename(directory, expected) or _unpack(directory)
    fix = fix or _("export the model as one of {names}", names=", ".join(expected))
    return [error(near.name, _("{name} {why}: the model would not be found", name=near.name, why=near.why), fix)]


@rule("A05", "missing-model-file", link=links.EXPORTING)
@on_directory
def missing_model_file(context: CheckContext, directory: ModelDir) -> Outcomes:
    """The directory must have a model file of the requested framework."""
    framework = _requested_framework(context)
    if _names_no_framework(context) or framework == "TENSORFLOW" or directory.newest_export:
        return []
    expected = _FILE_NAMES.get(framework or "", tuple(MODEL_FILES))
    if _present(directory, expected) or directory.near_misses or directory.ignored_models:
        return []
    where = str(directory.path)
    if directory.model_files:
        other = directory.model_files[0].name
        fix = (
            f"--framework {_gcloud_name(directory.framework)}"
            if directory.framework
            else _("save the model as {wanted}", wanted=expected[0])
        )
        return [
            error(
                where, _("could not find {wanted}; found {other} instead", wanted=", ".join(expected), other=other), fix
            )
        ]
    if len(directory.files) == 1:
        text = _(
            "could not find {wanted}; the only file is {name}", wanted=", ".join(expected), name=directory.files[0].name
        )
    else:
        text = _("could not find {wanted} among {count} files", wanted=", ".join(expected), count=len(directory.files))
    return [error(where, text, f"joblib.dump(model, {str(directory.path / 'model.joblib')!r})")]


@rule("S04", "origin-not-a-directory", link=links.DEPLOYING)
def origin_not_a_directory(context: CheckContext) -> Outcomes:
    """The origin must be the model's directory, not the file in it, and its gs:// URI must have no empty part.

    A local file stands for its directory: all files beside it are uploaded too.
    """
    found = []
    directory, uri = context.model_dir, context.version.deploymentUri
    if directory and directory.given_file:
        text = ngettext(
            "{file} is a file: deploying its directory, with {number} file",
            "{file} is a file: deploying its directory, with all {number} files in it",
            len(directory.files),
            file=directory.given_file,
        )
        found.append(advice("origin", text, f"--origin {shlex.quote(str(directory.path))}"))
    if uri is None:
        return found
    bucket, _sep, path = uri.removeprefix("gs://").partition("/")
    if not uri.startswith("gs://") or not bucket:
        found.append(
            error(
                "version.deploymentUri",
                _("{uri!r} does not begin with gs://BUCKET", uri=uri),
                "gs://BUCKET/DIRECTORY",
            )
        )
    elif path.endswith(_FILE_SUFFIXES):
        parent = uri.rpartition("/")[0] + "/"
        found.append(
            error(
                "version.deploymentUri",
                _("{uri} is a file name, expected a directory", uri=uri),
                _("use {name}", name=parent),
            )
        )
    elif "//" in path or path.startswith("/"):
        clean = f"gs://{bucket}/" + "/".join(part for part in path.split("/") if part)
        found.append(
            error(
                "version.deploymentUri",
                _("{uri} has an empty part between two slashes", uri=uri),
                _("use {name}", name=clean),
            )
        )
    return found


@rule("S05", "model-too-large", link=links.TOO_LARGE)
@on_directory
def model_too_large(context: CheckContext, directory: ModelDir) -> Outcomes:
    """The model directory must not exceed 500 MB on MLS1 machines (global endpoint), 10 GB on N1 (regional).

    The embedded server enforces this only for a requested machine type.
    """
    most = catalog.limits().model_dir_bytes(context.family)
    if directory.total_size <= most:
        return []
    text = _(
        "the total size of the files is {total_size} bytes; the maximum on {family} is {most} bytes",
        total_size=directory.total_size,
        family=context.family,
        most=most,
    )
    largest = max(directory.files, key=lambda file: file.size)
    fix = _(
        "remove files that do not belong to the model; the largest is {name} ({size} bytes)",
        name=largest.name,
        size=largest.size,
    )
    if context.family == "MLS1" and directory.total_size <= catalog.limits().model_dir_bytes("N1"):
        fix += "; " + _("or use a regional endpoint (--region), which accepts 10 GB")
    return [over_limit(context, str(directory.path), text, fix, "error")]


@rule("S06", "too-many-files", link=links.API)
@on_directory
def too_many_files(context: CheckContext, directory: ModelDir) -> Outcomes:
    """The model directory must not have more than 1000 files.

    The embedded server enforces this only for a requested machine type, but no upload has more than 20,000 files.
    """
    most = catalog.limits().model_dir_files
    if len(directory.files) <= most:
        return []
    count = len(directory.files)
    if directory.truncated:
        text = _("the directory has more than {count} files; the maximum is {most}", count=count, most=most)
    else:
        text = _("the directory has {count} files; the maximum is {most}", count=count, most=most)
    fix = fix_environments(directory) or _("use only the export directory, not the training directory")
    if directory.truncated:
        return [error(str(directory.path), text, fix)]
    return [over_limit(context, str(directory.path), text, fix, "error")]


@rule("D04", "files-not-uploaded", link=links.DEPLOYING)
@on_directory
def files_not_uploaded(_context: CheckContext, directory: ModelDir) -> Outcomes:
    """Links to directories, broken links and special files are not uploaded.

    Hidden files, compiled Python and what .gcloudignore excludes are not uploaded either, which is not reported.
    """
    reported = [entry for entry in directory.left_out if entry.kind in ("link", "unreadable", "special", "name")]
    fix = _("copy the file into the directory if the model needs it")
    return [advice(entry.name, _("not uploaded: {reason}", reason=entry.reason), fix) for entry in reported[:10]]


def _needs_export(context: CheckContext, directory: ModelDir) -> NearMiss | None:
    """Return the TensorFlow file that must be exported as a SavedModel, if no other file is closer to a model."""
    if _names_no_framework(context) or directory.newest_export or not directory.near_misses:
        return None
    if _requested_framework(context) == "TENSORFLOW":
        return next((near for near in directory.near_misses if near.framework == "TENSORFLOW"), None)
    near = directory.near_misses[0]
    return near if near.framework == "TENSORFLOW" and _requested_framework(context) is None else None


def _names_no_framework(context: CheckContext) -> bool:
    """Whether code or an image, rather than the framework of the version, says how the model's files are named."""
    return context.is_custom or context.version.container is not None


def _requested_framework(context: CheckContext) -> str | None:
    framework = context.version.framework
    return framework if framework in _FILE_NAMES else None


def _present(directory: ModelDir, expected: Collection[str]) -> list[str]:
    return [file.name for file in directory.model_files if file.name in expected]


def _names(directory: ModelDir) -> str:
    return ", ".join(file.name for file in directory.model_files)


def _rename(directory: ModelDir, expected: Collection[str]) -> str:
    """Return the command that gives the nearest miss its right name, or an empty string."""
    for near in directory.near_misses:
        if near.wanted in expected:
            if "/" in near.name:
                return f"--origin {shlex.quote(str((directory.path / near.name).parent))}"
            old, new = directory.path / near.name, directory.path / str(near.wanted)
            return f"mv {shlex.quote(str(old))} {shlex.quote(str(new))}"
    return ""


def _unpack(directory: ModelDir) -> str:
    """Return the fix for a model that is in an archive, if the likeliest file is one, or an empty string."""
    near = directory.near_misses[0].name if directory.near_misses else ""
    line = unpack_line(str(directory.path / near), str(directory.path))
    return _("unpack it: {line}", line=line) if line else ""


def _gcloud_name(framework: str) -> str:
    return framework.lower().replace("_", "-")
