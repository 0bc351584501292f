"""Findings for a model file that is of another format than its name says: what it is, and what mends it."""

from __future__ import annotations

import shlex

from aip_magics.artifacts import File, ModelDir, ModelFileInfo
from aip_magics.artifacts.model_file import format_of
from aip_magics.artifacts.other_formats import decoded_base64
from aip_magics.checks.outcome import Finding
from aip_magics.checks.rule import error
from aip_magics.checks.rules.estimators import dump_line
from aip_magics.i18n import gettext as _

_BOOSTER = "model.bst"
_DATA = {
    "json": "JSON", "xml": "XML", "csv": "CSV", "parquet": "Parquet", "numpy": "NumPy", "npz": "NumPy", "hdf5": "HDF5",
}  # fmt: skip
_TAR_SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar")


def wrong_format(directory: ModelDir, file: File, contents: ModelFileInfo) -> Finding | None:
    """Return the finding for a file that cannot be loaded under its name; None if it can, or if that is not known."""
    format, name = contents.format, file.name
    if format == "pickle":
        if name != _BOOSTER:
            return None
        facts = contents.pickle
        by_joblib = contents.compression or (facts and any(one.name == "NumpyArrayWrapper" for one in facts.globals))
        fix = _move(directory, file, "model.joblib" if by_joblib else "model.pkl")
        return error(name, _("{file} is a pickle, not an XGBoost file", file=name), fix)
    if format.startswith("xgboost-"):
        if name != "model.pkl":  # joblib.load of a booster fails, and the service then reads it as one
            return None
        text = _("{file} is an XGBoost file, not a pickle", file=name)
        return error(name, text, _move(directory, file, _BOOSTER))
    text, fix = _other(directory, file, contents)
    return error(name, text, fix) if text else None


def unpack_line(archive: str, directory: str) -> str:
    """Return the shell command that unpacks an archive into a directory and deletes it; empty if it is none."""
    path, target = shlex.quote(archive), shlex.quote(directory)
    if archive.lower().endswith(_TAR_SUFFIXES):
        return f"tar -xf {path} -C {target} && rm {path}"
    return f"python -m zipfile -e {path} {target} && rm {path}" if archive.lower().endswith(".zip") else ""


def _other(directory: ModelDir, file: File, contents: ModelFileInfo) -> tuple[str, str]:
    """Return what a file is that is neither a pickle nor a booster, and the fix; both empty if that is not known."""
    format, name, path = contents.format, file.name, str(file.path)
    write = f"pathlib.Path({path!r}).write_bytes"
    save = _("save the model itself: {line}", line=_save_line(directory, file))
    if format == "booster-dump":
        fix = _("save the booster, not its dump: {line}", line=_booster_line(directory, file))
        return _("{file} is the output of dump_model, which XGBoost cannot load", file=name), fix
    if format == "booster-config":
        fix = _("save the booster, not its configuration: {line}", line=_booster_line(directory, file))
        return _("{file} is the output of save_config, which has no trees", file=name), fix
    if format == "lightgbm":
        fix = _("save the LGBMClassifier or LGBMRegressor: {line}", line=_save_line(directory, file))
        return _("{file} is a LightGBM booster, which the service cannot load", file=name), fix
    if format == "catboost":
        line = _save_line(directory, file, "sklearn.pipeline.make_pipeline(model)")
        fix = _("save the CatBoost estimator in a scikit-learn pipeline: {line}", line=line)
        return _("{file} is a CatBoost model, which the service cannot load", file=name), fix
    if format == "pytorch":
        fix = _("load it with a custom prediction routine: --prediction-class MODULE.CLASS --package-uris FILE")
        return _("{file} is a PyTorch model, which the service cannot load", file=name), fix
    if format == "keras":
        return _("{file} is a Keras model, not a pickle", file=name), _move(directory, file, "model.keras")
    if format in ("zip", "tar"):
        return _("{file} is an archive, not a model", file=name), _unpack(directory, file, contents)
    if format == "base64":
        if _is_model(decoded_base64(_head(file))):
            line = f"{write}(base64.b64decode(pathlib.Path({path!r}).read_bytes()))"
            return _("{file} is base64 text, not a model", file=name), _("decode the file: {line}", line=line)
        return _("{file} is base64 text, not a model", file=name), save
    if format in _DATA:
        return _("{file} is a {format} file, not a model", file=name, format=_DATA[format]), save
    return (_("{file} contains plain text, not a model", file=name), save) if format == "text" else ("", "")


def _save_line(directory: ModelDir, file: File, model: str = "model") -> str:
    """Return the statement that saves an estimator; one that replaces model.bst deletes that."""
    line = dump_line(directory, model)
    return f"{line}; os.remove({str(file.path)!r})" if file.name == _BOOSTER else line


def _booster_line(directory: ModelDir, file: File) -> str:
    target = directory.path / _BOOSTER
    line = f"pathlib.Path({str(target)!r}).write_bytes(booster.save_raw('ubj'))"
    return line if file.name == _BOOSTER else f"{line}; os.remove({str(file.path)!r})"


def _unpack(directory: ModelDir, file: File, contents: ModelFileInfo) -> str:
    suffix = ".zip" if contents.format == "zip" else ".tar"
    if contents.compression in ("gzip", "bz2", "xz"):
        suffix += {"gzip": ".gz", "bz2": ".bz2", "xz": ".xz"}[contents.compression]
    archive = f"archive{suffix}"  # a file in it may have the name of the archive
    line = unpack_line(str(directory.path / archive), str(directory.path))
    return _("unpack it: {line}", line=f"{_move(directory, file, archive)} && {line}")


def _move(directory: ModelDir, file: File, name: str) -> str:
    return f"mv {shlex.quote(str(file.path))} {shlex.quote(str(directory.path / name))}"


def _is_model(head: bytes) -> bool:
    return format_of(head) == "pickle" or head[:2] in (b"\x1f\x8b", b"x\x9c", b"x\x01", b"x\xda")


def _head(file: File) -> bytes:
    try:
        with file.path.open("rb") as opened:
            return opened.read(4096)
    except OSError:
        return b""
