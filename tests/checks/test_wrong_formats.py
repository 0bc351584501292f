"""Files that are no models under the name of one: each is named for what it is, and its fix mends it."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import os
import pathlib
import pickle
import subprocess
import tarfile
import zipfile

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn.pipeline
import xgboost
from rule_cases_estimators import X, Y, trained
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from aip_magics import checks
from aip_magics.prediction.worker import load

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*Unknown file format"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
MODEL = LogisticRegression().fit(X, Y)
BOOSTER = trained()
LIGHTGBM = b"tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\n"


def written(save):
    """The bytes of a file that `save` writes."""
    path = pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / f"aip_magics_{os.getpid()}.tmp"
    try:
        save(path)
        return path.read_bytes()
    finally:
        path.unlink(missing_ok=True)


def dumped(dump_format):
    return written(lambda path: BOOSTER.dump_model(path, dump_format=dump_format))


def packed(mode="gz", name="model.joblib"):
    file = io.BytesIO()
    data = written(lambda path: joblib.dump(MODEL, path))
    with tarfile.open(fileobj=file, mode=f"w:{mode}") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def zipped(name="model.joblib"):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, written(lambda path: joblib.dump(MODEL, path)))
    return file.getvalue()


def array(save, *given):
    file = io.BytesIO()
    save(file, *given)
    return file.getvalue()


WRONG = {
    # what it is: file name, its bytes, what is said of it
    "dump": ("model.bst", lambda: dumped("text"), "output of dump_model"),
    "dump in JSON": ("model.bst", lambda: dumped("json"), "output of dump_model"),
    "dump as dot": ("model.joblib", lambda: dumped("dot"), "output of dump_model"),
    "configuration": ("model.bst", lambda: BOOSTER.save_config().encode(), "output of save_config"),
    "configuration as pickle": ("model.pkl", lambda: BOOSTER.save_config().encode(), "output of save_config"),
    "booster": ("model.pkl", lambda: bytes(BOOSTER.save_raw("ubj")), "XGBoost file, not a pickle"),
    "booster in JSON": ("model.pkl", lambda: bytes(BOOSTER.save_raw("json")), "XGBoost file, not a pickle"),
    "pickle": ("model.bst", lambda: pickle.dumps(MODEL), "is a pickle"),
    "pickle by joblib": ("model.bst", lambda: written(lambda path: joblib.dump(MODEL, path)), "is a pickle"),
    "pickle, compressed": ("model.bst", lambda: gzip.compress(pickle.dumps(MODEL)), "is a pickle"),
    "LightGBM": ("model.bst", lambda: LIGHTGBM, "LightGBM booster"),
    "LightGBM as pickle": ("model.pkl", lambda: LIGHTGBM, "LightGBM booster"),
    "JSON": ("model.pkl", lambda: json.dumps({"coef": [1]}).encode(), "JSON file"),
    "JSON list": ("model.joblib", lambda: b"[[1, 2], [3, 4]]", "JSON file"),
    "JSON as booster": ("model.bst", lambda: json.dumps([{"a": 1}], indent=2).encode(), "JSON file"),
    "npy": ("model.pkl", lambda: array(np.save, X), "NumPy file"),
    "npz": ("model.joblib", lambda: array(np.savez, X), "NumPy file"),
    "CSV": ("model.pkl", lambda: pd.DataFrame(X).to_csv().encode(), "CSV file"),
    "CSV as booster": ("model.bst", lambda: b"age;name\n1;a\n2;b\n", "CSV file"),
    "text": ("model.pkl", lambda: "가중치는 여기에 없다".encode() * 9000, "plain text"),
    "XML": ("model.pkl", lambda: b'<?xml version="1.0"?>\n<PMML version="4.4"></PMML>', "XML file"),
    "HDF5": ("model.pkl", lambda: b"\x89HDF\r\n\x1a\n" + bytes(90), "HDF5 file"),
    "base64": ("model.pkl", lambda: base64.b64encode(pickle.dumps(MODEL)), "base64 text"),
    "base64 in lines": ("model.joblib", lambda: base64.encodebytes(pickle.dumps(MODEL)), "base64 text"),
    "DataFrame": ("model.joblib", lambda: written(lambda path: joblib.dump(pd.DataFrame(X), path)), "a DataFrame"),
    "Series": ("model.pkl", lambda: pickle.dumps(pd.Series(Y)), "a Series"),
    "array": ("model.joblib", lambda: written(lambda path: joblib.dump(X, path)), "a ndarray"),
    "list": ("model.joblib", lambda: written(lambda path: joblib.dump([MODEL, MODEL], path)), "a list"),
    "tuple": ("model.pkl", lambda: pickle.dumps((MODEL, 1)), "a tuple"),
    "dict": ("model.pkl", lambda: pickle.dumps({"model": MODEL, "columns": ["a"], "at": X}), "a dict"),
    "dict by joblib": (
        "model.joblib",
        lambda: written(lambda path: joblib.dump({"clf": MODEL, "x": X}, path)),
        "a dict",
    ),
    "dict of two": ("model.pkl", lambda: pickle.dumps({"model": MODEL, "scaler": StandardScaler()}), "a dict"),
    "tar.gz": ("model.joblib", packed, "an archive"),
    "tar.bz2": ("model.pkl", lambda: packed("bz2"), "an archive"),
    "tar": ("model.joblib", lambda: packed("", "model.joblib"), "an archive"),
    "zip": ("model.joblib", zipped, "an archive"),
    "zip as booster": ("model.bst", zipped, "an archive"),
}


def follow(fix):
    """Do what a fix says: a command of the shell, or Python, after its introduction."""
    line = fix.rpartition(": ")[2]
    if line.startswith(("mv ", "tar ", "python ")):
        subprocess.run(line, shell=True, check=True, timeout=60)
        return
    names = {"pathlib": pathlib, "joblib": joblib, "pickle": pickle, "os": os, "base64": base64, "sklearn": sklearn}
    exec(line, {**names, "booster": BOOSTER, "model": MODEL})


@pytest.mark.parametrize("name", WRONG)
def test_wrong_formats_are_named_and_mended(deployment, name):
    file, data, text = WRONG[name]
    folder = deployment.folder(**{file.replace(".", "_"): data()})
    pandas = name in ("DataFrame", "Series")  # its globals are another matter
    (finding,) = [one for one in checks.run(deployment(folder)).errors if not (pandas and one.id == "U01")]
    assert finding.id == ("A04" if "contains a" in finding.message else "D07")
    assert finding.message.startswith(file)
    assert text in finding.message
    follow(finding.fix)
    assert checks.run(deployment(folder)).errors == ()
    model = load.open_model({"model_dir": str(folder)})
    predictions = model.postprocess(model.run(model.preprocess(X[:9].tolist(), {}), {}))
    assert predictions in (MODEL.predict(X[:9]).tolist(), BOOSTER.predict(xgboost.DMatrix(X[:9])).tolist())


def test_fix_of_a_dict_names_the_key_of_its_only_model(deployment, found):
    one = deployment.folder(model_pkl=pickle.dumps({"clf": MODEL, "columns": ["a"]}))
    assert "['clf']" in found(deployment(one), "A04")[0].fix
    two = deployment.folder(model_pkl=pickle.dumps({"clf": MODEL, "scaler": StandardScaler()}))
    assert "['clf']" not in found(deployment(two), "A04")[0].fix


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_compressed_text_is_not_asked_to_be_trusted(deployment, compress):
    folder = deployment.folder(model_joblib=compress(b"no model" * 900))
    assert [finding.id for finding in checks.run(deployment(folder)).findings] == ["D07"]


def test_raw_booster_as_joblib_is_not_a_finding(deployment):
    """The service reads it as XGBoost when joblib fails."""
    folder = deployment.folder(model_joblib=bytes(BOOSTER.save_raw("ubj")))
    assert checks.run(deployment(folder)).errors == ()


def test_pickle_with_a_name_after_text_is_still_asked_to_be_trusted(deployment):
    """A text may be a pickle as well: what it names decides."""
    polyglot = b"Vage,name\np0\n0cos\nsystem\n(Vtrue\ntR."
    errors = checks.run(deployment(deployment.folder(model_pkl=polyglot))).errors
    assert "U01" in {finding.id for finding in errors}


@pytest.mark.parametrize("name", ["model.tar.gz", "model.tgz", "model.tar", "model.zip", "MODEL.ZIP"])
@pytest.mark.slow
def test_archive_beside_nothing_is_unpacked(deployment, found, name):
    folder = deployment.folder(x_y=b"")
    (folder / "x.y").unlink()
    data = zipped() if name.lower().endswith("zip") else packed("" if name.endswith("tar") else "gz")
    (folder / name).write_bytes(data)
    for framework in (None, "SCIKIT_LEARN"):
        (finding,) = found(deployment(folder, framework=framework), "S03")
    assert finding.message.startswith(f"{name} is an archive")
    follow(finding.fix)
    assert checks.run(deployment(folder)).errors == ()
    assert os.listdir(folder) == ["model.joblib"]


def test_saved_model_in_an_archive_is_unpacked(deployment, found):
    folder = deployment.folder(x_y=b"")
    (folder / "x.y").unlink()
    (folder / "model.tar.gz").write_bytes(packed(name="saved_model.pb"))
    (finding,) = found(deployment(folder, framework="TENSORFLOW"), "S02")
    follow(finding.fix)
    assert os.listdir(folder) == ["saved_model.pb"]


def test_compressed_pickle_is_renamed(deployment, found):
    folder = deployment.folder(x_y=b"")
    (folder / "x.y").unlink()
    joblib.dump(MODEL, folder / "model.pkl.gz")
    (finding,) = found(deployment(folder), "S03")
    follow(finding.fix)
    assert checks.run(deployment(folder)).errors == ()
