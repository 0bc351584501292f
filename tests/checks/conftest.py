import dataclasses
import datetime
import functools
import pickle
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pytest
import sklearn
import xgboost
from sklearn.linear_model import LogisticRegression

import aip_magics.targets.vertex.rules  # noqa: F401 - registers its rules, as creating the target does
from aip_magics import artifacts, checks
from aip_magics.checks.rules import pickles
from aip_magics.spec import Model, Version
from aip_magics.targets.vertex.unused_rules import unused_rules

X = np.array([[i, i % 3] for i in range(40)], dtype=float)
Y = (X[:, 0] > 20).astype(int)
GOOGLE = "https://ml.googleapis.com"
VERTEX_DAY = datetime.date(2026, 11, 29)  # of the deployments to Vertex AI, whose images have an end


def _text(version):
    # Protocol 3 writes a string as X, its length in four bytes, its bytes; there are no frames to keep right.
    return b"X" + len(version).to_bytes(4, "little") + version.encode()


@dataclasses.dataclass(frozen=True)
class Models:
    """Real model files as bytes."""

    sklearn: bytes
    booster: bytes
    pickled_booster: bytes
    wrapper: bytes

    def sklearn_of(self, version):
        """The scikit-learn model, as that version would have marked it, with the NumPy of its time."""
        return self.sklearn.replace(_text(sklearn.__version__), _text(version)).replace(b"numpy._core.", b"numpy.core.")

    def booster_of(self, *version):
        """The booster in UBJSON, as that version of XGBoost would have marked it."""
        head, mark, _ = self.booster.rpartition(b"version[#L" + (3).to_bytes(8, "big"))
        return head + mark + b"".join(b"i" + bytes([number]) for number in version) + b"}"


@pytest.fixture(scope="session")
def models():
    booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(X, Y), 2)
    return Models(
        sklearn=pickle.dumps(LogisticRegression().fit(X, Y), protocol=3),
        booster=bytes(booster.save_raw("ubj")),
        pickled_booster=pickle.dumps(booster),
        wrapper=pickle.dumps(xgboost.XGBClassifier(n_estimators=2).fit(X, Y)),
    )


class Deployment:
    """Builds Subjects: files in a new directory, fields of the resources, a target."""

    def __init__(self, root: Path, models: Models) -> None:
        self.root = root
        self.models = models
        self.count = 0

    def folder(self, **files):
        """A directory with these files (`model_pkl=` is model.pkl); left out: a scikit-learn model of 1.0.2."""
        self.count += 1
        folder = self.root / f"export{self.count}"
        folder.mkdir()
        for name, data in (files or {"model_pkl": self.models.sklearn_of("1.0.2")}).items():
            base, _, suffix = name.rpartition("_")
            (folder / f"{base}.{suffix}").write_bytes(data)
        return folder

    def __call__(
        self,
        folder=None,
        *,
        model=None,
        region=None,
        target="local",
        endpoint="",
        test=None,
        env="current",
        installed=None,
        **version,
    ):
        """`installed` are the libraries of the Python that serves it; the default model is served by its own."""
        if folder is None:
            folder, installed = self.folder(), {"scikit-learn": "1.0.2"}
        return checks.CheckContext(
            model=Model.from_json({"name": "iris", **(model or {})}),
            version=Version.from_json({"name": "v1", **version}, strict=False),
            model_dir=artifacts.inspect_model_dir(folder),
            target=checks.TargetFacts(target, region, endpoint, target != "local"),
            test_request=test,
            env=env,
            installed=installed,
        )

    def cloud(self, folder=None, **fields):
        """The same on an endpoint of AI Platform, with runtime 2.11."""
        fields = {"runtimeVersion": "2.11", "pythonVersion": "3.7", **fields}
        return self(folder, target="aiplatform", **fields)

    def vertex(self, folder=None, *, today=VERTEX_DAY, region="us-central1", release="1.6.1", **fields):
        """The same on Vertex AI; the default is a scikit-learn model of `release`, for which there is an image."""
        if folder is None:
            folder = self.folder(model_pkl=self.models.sklearn_of(release))
        context = self(folder, target="vertex", region=region, **fields)
        target = dataclasses.replace(context.target, unused_rules=unused_rules())
        return dataclasses.replace(context, target=target, today=today)


@pytest.fixture
def deployment(tmp_path, models):
    return Deployment(tmp_path, models)


@pytest.fixture
def found():
    """A function: the findings of one rule for a Subject."""

    def of(subject, id):
        return [finding for finding in checks.run(subject).findings if finding.id == id]

    return of


@pytest.fixture(scope="session", autouse=True)
def distributions_read_once():
    """A missing module is looked for in the files of all distributions: a quarter of a second each time."""
    read = functools.cache(lambda search_path: packages_distributions())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pickles, "packages_distributions", lambda: read(tuple(sys.path)))
        yield
