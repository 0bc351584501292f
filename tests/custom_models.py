"""Models that need more than a scikit-learn file: SavedModels, pipelines with own code, routines, and the packages.

They are made in a process of their own, as a user's training would: TensorFlow's import stays out of the tests'.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

ADDER = """
import numpy, sys
import tensorflow as tf

class Adder(tf.Module):
    def __init__(self):
        self.weight = tf.Variable(numpy.array([[1.0], [10.0]], numpy.float32))

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="row")])
    def add(self, row):
        return {"sum": tf.matmul(row, self.weight)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def shout(self, text):
        return {"loud": tf.strings.upper(text)}

model = Adder()
tf.saved_model.save(model, sys.argv[1], {"serving_default": model.add, "shout": model.shout})
"""
# What Adder answers for one row, and for a text with the signature `shout`.
ADDER_ROW, ADDER_ANSWER = [1.0, 2.0], {"sum": [21.0]}

OWN_CODE = """
from sklearn.base import BaseEstimator, TransformerMixin

class Scale(BaseEstimator, TransformerMixin):
    def __init__(self, factor=%s):
        self.factor = factor

    def fit(self, rows, labels=None):
        return self

    def transform(self, rows):
        return [[value * self.factor for value in row] for row in rows]
"""
PIPELINE = """
import joblib, sys
sys.path.insert(0, sys.argv[2])
from own_code import Scale
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
model = make_pipeline(Scale(), LinearRegression()).fit([[0.0], [1.0], [2.0]], [0.0, 2.0, 4.0])
joblib.dump(model, sys.argv[1] + "/model.joblib")
"""
ROUTINE = """
import json, os

class Routine:
    def __init__(self, offset):
        self.offset = offset

    @classmethod
    def from_path(cls, model_dir):
        with open(os.path.join(model_dir, "offset.json")) as file:
            return cls(json.load(file))

    def predict(self, instances, **kwargs):
        factor = kwargs.get("factor", 1)
        return [value * factor + self.offset for value in instances]

class NoPredict:
    @classmethod
    def from_path(cls, model_dir):
        return cls()
"""


def run_python(code: str, *arguments: object) -> None:
    """Run Python code in a process of its own."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def saved_model(folder: Path) -> Path:
    """A TensorFlow SavedModel with a numeric signature and one of texts."""
    run_python(ADDER, folder)
    return folder


def own_code_pipeline(folder: Path, root: Path) -> Path:
    """A scikit-learn pipeline whose first step is a class of the module `own_code`; it doubles one number."""
    folder.mkdir(parents=True)
    (root / "modules").mkdir(exist_ok=True)
    (root / "modules" / "own_code.py").write_text(OWN_CODE % 3)
    run_python(PIPELINE, folder, root / "modules")
    return folder


def routine_dir(folder: Path, offset: int = 100) -> Path:
    """The files of a custom prediction routine: `Routine` adds this offset."""
    folder.mkdir(parents=True)
    (folder / "offset.json").write_text(str(offset))
    return folder


def sdist(folder: Path, name: str, version: str = "0.1", setup: str | None = None, **modules: str) -> Path:
    """`NAME-VERSION.tar.gz` with these modules (`own_code="…source…"`), as `setup.py sdist` makes it."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = sorted(modules)
    setup = setup or f"from setuptools import setup\nsetup(name={name!r}, version={version!r}, py_modules={listed!r})\n"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files = {"PKG-INFO": metadata, "setup.py": setup, **{f"{module}.py": code for module, code in modules.items()}}
    path = folder / f"{name}-{version}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for file, text in files.items():
            member = tarfile.TarInfo(f"{name}-{version}/{file}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return path
