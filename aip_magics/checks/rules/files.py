"""Rules about the model directory: which files are there, under which names, how many, how large."""

from __future__ import annotations

import shlex
from collections.abc import Collection

from aip_magics import catalog
from aip_magics.artifacts import MODEL_FILES, ModelDir, NearMiss
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Outcomes
from aip_magics.checks.rule import advice, error, on_directory, rule
from aip_magics.i18n import gettext as _

_FILE_SUFFIXES = (".pb", ".pbtxt", ".pkl", ".joblib", ".bst", ".h5", ".keras")
_WANTED = {
    "TENSORFLOW": ("saved_model.pb", "saved_model.pbtxt"),
    "SCIKIT_LEARN": ("model.joblib", "model.pkl"),
    "XGBOOST": ("model.bst", "model.joblib", "model.pkl"),
}


@rule("A06", link=links.EXPORTING)
@on_directory
def several_models(context: CheckContext, directory: ModelDir) -> Outcomes:
    """With several model files in the directory, the framework cannot be told unless it is given."""
    if _asked(context) or context.is_custom or len(directory.model_files) < 2:
        return []
    text = _("there are several model files: {names}", names=_names(directory))
    return [error(str(directory.path), text, _("keep one, or say which with --framework"))]


@rule("S02", link=links.WRONG_LEVEL)
@on_directory
def saved_model(context: CheckContext, directory: ModelDir) -> Outcomes:
    """A TensorFlow model is the directory that directly holds exactly one of saved_model.pb and saved_model.pbtxt.

    An export base (folders named by a time) is one level too high.
    """
    asked = _asked(context)
    if context.is_custom or asked not in (None, "TENSORFLOW"):
        return []
    wanted = _WANTED["TENSORFLOW"]
    count = len(_present(directory, wanted))
    if newest := directory.newest_export:
        text = _("this is an export base; the model lies in a folder of it")
        return [
            error(
                str(directory.path),
                text,
                _("--origin {path} is the newest", path=shlex.quote(str(directory.path / newest))),
            )
        ]
    if asked is None or count == 1 or (not count and _needs_export(context, directory)):
        return []
    text = _("exactly one of {wanted} is expected, not {count}", wanted=", ".join(wanted), count=count or _("none"))
    return [error(str(directory.path), text, _rename(directory, wanted) or _("export the model as a SavedModel"))]


@rule("A19", link=links.EXPORTING)
@on_directory
def needs_export(context: CheckContext, directory: ModelDir) -> Outcomes:
    """A Keras file, a checkpoint or a TensorFlow Lite model is no SavedModel: it has to be exported first."""
    near = _needs_export(context, directory)
    if near is None:
        return []
    target = str(directory.path / "export")
    line = f"tf.saved_model.save(model, {target!r})"
    if near.name in directory.keras_files:
        line = f"keras.models.load_model({str(directory.path / near.name)!r}).export({target!r})"
    text = _("{name} {why}; only a SavedModel can be served", name=near.name, why=near.why)
    return [error(near.name, text, _("{line}, then deploy {target}", line=line, target=target))]


@rule("S03", link=links.WRONG_NAME)
@on_directory
def file_names(context: CheckContext, directory: ModelDir) -> Outcomes:
    """The model file is called exactly model.joblib, model.pkl or model.bst and there is one of them."""
    asked = _asked(context)
    if context.is_custom or asked == "TENSORFLOW" or directory.newest_export:
        return []
    wanted = _WANTED.get(asked or "", tuple(MODEL_FILES))
    present = _present(directory, wanted)
    if asked and len(present) > 1:
        text = _(
            "exactly one of {wanted} is expected, not {present}",
            wanted=", ".join(wanted),
            present=", ".join(present),
        )
        return [error(str(directory.path), text, _("remove {present}", present=present[1]))]
    if present or not directory.near_misses or _needs_export(context, directory):
        return []
    near = directory.near_misses[0]
    fix = _rename(directory, wanted) or _("export it as one of {names}", names=", ".join(wanted))
    return [error(near.name, _("{name} {why}: the model would not be found", name=near.name, why=near.why), fix)]


@rule("A05", link=links.EXPORTING)
@on_directory
def no_model(context: CheckContext, directory: ModelDir) -> Outcomes:
    """There is a model file in the directory, and it is one of the framework asked for."""
    asked = _asked(context)
    if context.is_custom or asked == "TENSORFLOW" or directory.newest_export:
        return []
    wanted = _WANTED.get(asked or "", tuple(MODEL_FILES))
    if _present(directory, wanted) or directory.near_misses:
        return []
    where = str(directory.path)
    if directory.model_files:
        other = directory.model_files[0].name
        fix = (
            f"--framework {_spelled(directory.framework)}"
            if directory.framework
            else _("save {wanted}", wanted=wanted[0])
        )
        return [
            error(where, _("could not find {wanted}; there is {other}", wanted=", ".join(wanted), other=other), fix)
        ]
    if len(directory.files) == 1:
        text = _(
            "could not find {wanted}; the only file is {name}", wanted=", ".join(wanted), name=directory.files[0].name
        )
    else:
        text = _("could not find {wanted} among {count} files", wanted=", ".join(wanted), count=len(directory.files))
    return [error(where, text, f"joblib.dump(model, {str(directory.path / 'model.joblib')!r})")]


@rule("S04", link=links.DEPLOYING)
def origin_is_directory(context: CheckContext) -> Outcomes:
    """The origin is the model's directory, not the file in it, and its name in Cloud Storage has no empty part.

    A local file stands for its directory: all files beside it are uploaded too.
    """
    found = []
    directory, uri = context.model_dir, context.version.deploymentUri
    if directory and directory.given_file:
        text = _with_its_directory(directory.given_file, len(directory.files))
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
                _("{uri} names a file, not its directory", uri=uri),
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


@rule("S05", link=links.TOO_LARGE)
@on_directory
def total_size(context: CheckContext, directory: ModelDir) -> Outcomes:
    """The model directory has at most 500 MB on MLS1 machines (global endpoint), 10 GB on N1 (regional endpoints)."""
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
        "leave out what is not the model; the largest is {name} ({size} bytes)", name=largest.name, size=largest.size
    )
    if context.family == "MLS1" and directory.total_size <= catalog.limits().model_dir_bytes("N1"):
        fix += "; " + _("a regional endpoint (--region) takes 10 GB")
    return [error(str(directory.path), text, fix)]


@rule("S06", link=links.API)
@on_directory
def file_count(_context: CheckContext, directory: ModelDir) -> Outcomes:
    """The model directory has at most 1000 files."""
    most = catalog.limits().model_dir_files
    if len(directory.files) <= most:
        return []
    count = len(directory.files)
    if directory.truncated:
        text = _("there are more than {count} files; {most} are allowed", count=count, most=most)
    else:
        text = _("there are {count} files; {most} are allowed", count=count, most=most)
    fix = _("name the directory of the export alone, not the one of the training")
    return [error(str(directory.path), text, fix)]


@rule("D04", link=links.DEPLOYING)
@on_directory
def skipped_files(_context: CheckContext, directory: ModelDir) -> Outcomes:
    """Links to folders, broken links and what is no file are not uploaded.

    Hidden files and compiled Python are left out without a word.
    """
    told = [entry for entry in directory.left_out if entry.kind not in ("hidden", "compiled")]
    fix = _("copy it into the directory if the model needs it")
    return [advice(entry.name, _("not uploaded: {reason}", reason=entry.reason), fix) for entry in told[:10]]


def _needs_export(context: CheckContext, directory: ModelDir) -> NearMiss | None:
    """What TensorFlow wrote where a SavedModel is wanted, if nothing there is nearer to a model."""
    if context.is_custom or directory.newest_export or not directory.near_misses:
        return None
    if _asked(context) == "TENSORFLOW":
        return next((near for near in directory.near_misses if near.framework == "TENSORFLOW"), None)
    near = directory.near_misses[0]
    return near if near.framework == "TENSORFLOW" and _asked(context) is None else None


def _asked(context: CheckContext) -> str | None:
    asked = context.version.framework
    return asked if asked in _WANTED else None


def _present(directory: ModelDir, wanted: Collection[str]) -> list[str]:
    return [file.name for file in directory.model_files if file.name in wanted]


def _names(directory: ModelDir) -> str:
    return ", ".join(file.name for file in directory.model_files)


def _rename(directory: ModelDir, wanted: Collection[str]) -> str:
    """The line that gives the nearest miss its right name, or an empty string."""
    for near in directory.near_misses:
        if near.wanted in wanted:
            if "/" in near.name:
                return f"--origin {shlex.quote(str((directory.path / near.name).parent))}"
            old, new = directory.path / near.name, directory.path / str(near.wanted)
            return f"mv {shlex.quote(str(old))} {shlex.quote(str(new))}"
    return ""


def _spelled(framework: str) -> str:
    return framework.lower().replace("_", "-")


def _with_its_directory(file: str, count: int) -> str:
    if count == 1:
        return _("{file} is a file: its directory is taken, with 1 file", file=file)
    return _("{file} is a file: its directory is taken, with all {count} files in it", file=file, count=count)
