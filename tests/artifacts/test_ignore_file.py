"""`.gcloudignore`: the same files as git would ignore, which reads the same syntax."""

import subprocess

import pytest

from aip_magics.artifacts import inspect_model_dir, list_files
from aip_magics.artifacts.ignore_file import to_pattern
from aip_magics.errors import ModelDirError

FILES = (
    "model.joblib",
    "train.ipynb",
    "a b.txt",
    "data/train.csv",
    "data/keep/labels.csv",
    "data/keep/notes.md",
    "assets/vocab.txt",
    "assets/data/vocab.csv",
    "logs/debug.log",
    "logs/deep/debug0.log",
    "venv/pyvenv.cfg",
    "venv/lib/x.py",
    "#odd.txt",
    "!odd.txt",
)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "export"
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    return folder


def names(folder, **options):
    return {file.name for file in list_files(folder, **options).files}


@pytest.mark.parametrize(
    "text",
    [
        "*.ipynb\nvenv/\ndata/\n",
        "/data\n!data/keep/labels.csv\n",  # nothing below an excluded directory comes back
        "data/*\n!data/keep/\n",
        "*\n!model.joblib\n",
        "*\n!*/\n!*.csv\n",
        "**/data\n",
        "logs/**/debug*.log\n",
        "debug[0-9].log\n# a comment\n\n   \n",
        "a\\ b.txt\n\\#odd.txt\n\\!odd.txt\n",
        "model.joblib/\nkeep/\r\n",
        "/*.txt\nassets/*.txt\n",
        "/*\n!/assets/\n/assets/*\n!/assets/data/\n!model.joblib\n",
        "assets/**\n!assets/data\n",
        "data/**/*.csv\n**\n!**/*.joblib\n!assets/\n!vocab.*\n",
        "**/keep/**\nlogs/**/\n",
        "[!a-m]*\n![[:lower:]]*\nd[a-b]t[^x]/\n",
        "*.c[s]v\n[]\\]!#]odd.txt\n[\\!]odd.txt\n",
        "[abc\n*.ipynb\\\n!\n/\n//\n *.csv\nvenv/  \nmodel.joblib\\ \n",
        "./model.joblib\ndata//train.csv\n?odel.joblib/\n?ata\n",
        "*.IPYNB\n*data*\n!*dat?\n",
        "",
    ],
)
def test_ignore_file_excludes_what_git_excludes(folder, text):
    (folder / ".gcloudignore").write_bytes(text.encode())
    tracked = folder.parent / "tracked"
    tracked.mkdir()
    git = ["git", "--git-dir", str(tracked / ".git"), "--work-tree", str(folder)]
    subprocess.run([*git, "init", "-q"], check=True)
    listed = subprocess.run(
        [*git, "ls-files", "-z", "--others", "--exclude-per-directory=.gcloudignore"],
        check=True, capture_output=True, text=True, cwd=folder,
    ).stdout  # fmt: skip
    expected = {name for name in listed.split("\0") if name and not name.startswith(".")}
    assert expected
    assert names(folder) == expected


def test_ignore_file_is_that_of_the_directory_alone(folder):
    (folder / "data" / ".gcloudignore").write_text("*.csv")
    (folder.parent / ".gcloudignore").write_text("*")
    (folder / ".gitignore").write_text("*")
    assert names(folder) == set(FILES)


def test_ignore_file_includes_another_file(folder):
    (folder / ".gitignore").write_text("*.csv\nvenv\n")
    (folder / ".gcloudignore").write_text("logs\n#!include:.gitignore\n!data/train.csv\n")
    assert names(folder) & {"data/train.csv", "data/keep/labels.csv", "venv/lib/x.py", "logs/debug.log"} == {
        "data/train.csv"
    }


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("#!include:../x", "expected the name of a file in the same directory"),
        ("#!include:.gitignore", "does not exist"),
        (b"\xff\xfe*", "not UTF-8"),
        ("x" * (1 << 20) + "\n", "larger than"),
    ],
)
def test_ignore_file_that_cannot_be_read_is_an_error(folder, text, error):
    (folder / ".gcloudignore").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ModelDirError, match=error) as refused:
        list_files(folder)
    assert refused.value.where.endswith(".gcloudignore")
    assert refused.value.fix


def test_ignore_file_does_not_hide_files_from_what_loads_the_directory(folder):
    """A worker loads the directory itself: what has to be trusted is all that lies there."""
    (folder / ".gcloudignore").write_text("*.joblib")
    shown = inspect_model_dir(folder)
    assert (shown.model_files, shown.ignored_models) == ((), ("model.joblib",))
    assert [file.name for file in inspect_model_dir(folder, on_disk=True).model_files] == ["model.joblib"]


def test_ignore_file_that_excludes_all_is_named_in_the_fix(tmp_path):
    (tmp_path / "model.joblib").write_text("x")
    (tmp_path / ".gcloudignore").write_text("*")
    with pytest.raises(ModelDirError, match=r"model\.joblib \(\.gcloudignore\)") as refused:
        list_files(tmp_path)
    assert "remove the line that excludes model.joblib" in refused.value.fix


@pytest.mark.parametrize("name", ["a.txt", "#x.csv", "!x", "a[1].csv", "b*?.csv", "c\\d.csv", "end  ", "sub/x y.txt"])
def test_ignore_file_patterns_exclude_one_file(tmp_path, name):
    for other in (name, "a1.csv", "bxy.csv", "other.txt", "deep/a.txt"):
        (tmp_path / other).parent.mkdir(exist_ok=True)
        (tmp_path / other).write_text("x")
    before = names(tmp_path)
    (tmp_path / ".gcloudignore").write_text(to_pattern(name) + "\n")
    assert before - names(tmp_path) == {name}
