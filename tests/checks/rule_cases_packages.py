"""Cases of rules about what is in the packages of custom code: real archives."""

import io
import tarfile
import zipfile

CLASS = """
class Mine:
    @classmethod
    def from_path(cls, model_dir):
        return cls()

    def predict(self, instances, **kwargs):
        return instances
"""
SETUP = "from setuptools import setup\nsetup(name='code', version='0.1', py_modules=['mine'])\n"


def sdist(d, code=CLASS, setup=SETUP, **more):
    """`code-0.1.tar.gz` with the module `mine`, a setup.py and more files."""
    path = d.folder() / "code-0.1.tar.gz"
    files = {"setup.py": setup, "mine.py": code, "PKG-INFO": "Name: code\nVersion: 0.1\n", **more}
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(f"code-0.1/{name}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return path


def wheel(d, tags="py3-none-any", requires="", **more):
    path = d.folder() / f"code-0.1-{tags}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {"mine.py": CLASS, **more}.items():
            archive.writestr(name, text)
        archive.writestr("code-0.1.dist-info/METADATA", f"Name: code\nVersion: 0.1\n{requires}\n\n")
    return path


def routine(d, code=CLASS, name="mine.Mine", path=None, **fields):
    return d(packageUris=[str(path or sdist(d, code))], predictionClass=name, **fields)


def in_cloud(d, path):
    return d.cloud(packageUris=[str(path)])


def with_line(old, new):
    return CLASS.replace(old, new)


PREDICT, FROM_PATH = "predict(self, instances, **kwargs)", "from_path(cls, model_dir)"
READING = "text = open('README.md').read()\n" + SETUP
CASES = [
    # id, severity, text of the fix, what triggers it, its innocent neighbour
    (
        "A10",
        "error",
        "rename the module",
        lambda d: d(packageUris=[str(wheel(d, **{"random.py": ""}))]),
        lambda d: d(packageUris=[str(wheel(d, **{"deep/random.py": ""}))]),
    ),
    (
        "A10",
        "advice",
        "into the modules",
        lambda d: d(packageUris=[str(wheel(d, **{"mine.pth": "import mine"}))]),
        lambda d: d(packageUris=[str(wheel(d, **{"deep/mine.pth": "import mine"}))]),
    ),
    (
        "A10",
        "error",
        "include README.md",
        lambda d: d(packageUris=[str(sdist(d, setup=READING))]),
        lambda d: d(packageUris=[str(sdist(d, setup=READING, **{"README.md": "x"}))]),
    ),
    (
        "A10",
        "error",
        "%aip_package",
        lambda d: d(packageUris=[str(damaged(sdist(d)))]),
        lambda d: d(packageUris=[str(sdist(d))]),
    ),
    (
        "A10",
        "error",
        "Python 3.7",
        lambda d: in_cloud(d, wheel(d, "cp311-cp311-manylinux_2_17_x86_64")),
        lambda d: in_cloud(d, wheel(d, "cp37-cp37m-manylinux2014_x86_64")),
    ),
    (
        "A10",
        "error",
        "Python 3.7",
        lambda d: in_cloud(d, wheel(d, "cp37-cp37m-win_amd64")),
        lambda d: in_cloud(d, wheel(d)),
    ),
    (
        "A10",
        "error",
        "Python 3.7",
        lambda d: in_cloud(d, wheel(d, requires="Requires-Python: >=3.8")),
        lambda d: in_cloud(d, wheel(d, requires="Requires-Python: >=3.7.1")),
    ),
    (
        "A10",
        "error",
        "scikit-learn==1.0.2",
        lambda d: in_cloud(d, wheel(d, requires="Requires-Dist: scikit-learn>=1.1")),
        lambda d: in_cloud(d, wheel(d, requires="Requires-Dist: scikit-learn>=1.0,<2")),
    ),
    (
        "A10",
        "warning",
        "numpy==1.21.6",
        lambda d: d(
            packageUris=[str(wheel(d, requires="Requires-Dist: numpy==2.0.1"))],
            runtimeVersion="2.11",
            pythonVersion="3.7",
        ),
        lambda d: d(packageUris=[str(wheel(d, requires="Requires-Dist: numpy==2.0.1"))]),
    ),
    ("A15", "error", "predictionClass: mine.Mine", lambda d: routine(d, name="mine.Yours"), routine),
    (
        "A15",
        "error",
        "py_modules=['mine']",
        lambda d: routine(d, path=sdist(d, setup=SETUP.replace("['mine']", "['other']"), **{"other.py": ""})),
        lambda d: routine(d, path=wheel(d)),
    ),
    ("A16", "error", "def from_path", lambda d: routine(d, with_line("def from_path", "def load")), routine),
    (
        "A16",
        "error",
        "def predict",
        lambda d: routine(d, with_line("def predict", "def answer")),
        lambda d: routine(
            d, "from base import Base\n" + with_line("Mine:", "Mine(Base):").replace("predict", "answer")
        ),
    ),
    ("A16", "error", "def from_path", lambda d: routine(d, with_line(FROM_PATH, "from_path(cls)")), routine),
    (
        "A17",
        "error",
        "**kwargs",
        lambda d: routine(d, with_line(PREDICT, "predict(self, instances, stats=None)")),
        lambda d: routine(d, with_line(PREDICT, "predict(self, rows, **more)")),
    ),
    (
        "R02",
        "error",
        "**kwargs",
        lambda d: routine(d, with_line(PREDICT, "predict(self, instances)")),
        lambda d: routine(d, with_line(PREDICT, "predict(self, instances, *, stats=None)")),
    ),
    (
        "V10",
        "warning",
        "--package-uris",
        lambda d: d.cloud(
            d.folder(model_pkl=of_mine()), packageUris=[str(sdist(d, **{"x.py": ""}, setup=SETUP.replace("mine", "x")))]
        ),
        lambda d: d.cloud(d.folder(model_pkl=of_mine()), packageUris=[str(sdist(d))]),
    ),
]


def damaged(path):
    path.write_bytes(path.read_bytes()[:100])
    return path


def of_mine():
    return b"\x80\x04cmine\nMine\n)\x81."
