"""The directory of a container: what is in it, that the same input gives the same bytes, what it never overwrites."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import joblib
import pytest
import sklearn
from sklearn.linear_model import LinearRegression

from aip_magics.errors import FieldError, InputError, ModelDirError, OptionError
from aip_magics.serving.export import Container, ContainerOptions, export_container, image_name
from aip_magics.serving.export.files import code_files, server_files
from aip_magics.serving.export.requirements import THIS_PYTHON, find_requirements
from aip_magics.serving.manifest import Manifest

IMAGE = "us-central1-docker.pkg.dev/demo/models/iris"

pytestmark = pytest.mark.slow  # each export copies and hashes our package


@pytest.fixture
def export(iris_export: Path, tmp_path: Path):
    def run(directory: Path = tmp_path / "image", model: Path | None = iris_export, replace: bool = False, **options):
        return export_container(directory, model, IMAGE, ContainerOptions(**options), replace=replace)

    return run


def content(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_export_pins_what_saved_the_model_and_what_the_server_needs(export) -> None:
    made: Container = export()
    lines = (made.directory / "requirements.txt").read_text().splitlines()
    assert tuple(lines) == made.requirements
    assert f"scikit-learn=={sklearn.__version__}" in lines
    assert {line.partition("==")[0] for line in lines} >= {"numpy", "scipy", "joblib", "uvicorn", "httptools"}
    assert all("==" in line for line in lines), "this Python saved the model: all of it is known"
    dockerfile = (made.directory / "Dockerfile").read_text()
    assert f"FROM python:{THIS_PYTHON}-slim-bookworm\n" in dockerfile
    assert "\nUSER " in dockerfile
    assert not (made.directory / "model").exists()


def test_export_gives_the_same_bytes_and_tag(export, tmp_path: Path) -> None:
    first, second = export(), export(tmp_path / "other")
    assert content(first.directory) == content(second.directory)
    assert first.image == second.image
    tag = first.image.removeprefix(IMAGE + ":")
    assert tag == json.loads((first.directory / "container.json").read_text())["hash"]
    assert first.docker_line == f"docker build --platform linux/amd64 -t {first.image} {first.directory}"
    assert first.gcloud_line == f"gcloud builds submit --tag {first.image} {first.directory}"
    again = export()
    assert again.unchanged
    assert not first.unchanged


def test_export_with_the_model_has_another_tag(export, iris_export: Path, tmp_path: Path) -> None:
    made = export(with_model=True)
    assert (made.directory / "model" / "model.joblib").read_bytes() == (iris_export / "model.joblib").read_bytes()
    assert made.image != export(tmp_path / "other").image


def test_export_brings_the_custom_code_without_traces_of_this_machine(export, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    (installed / "my_code-0.1.dist-info").mkdir(parents=True)
    (installed / "my_code.py").write_text("import yaml, os\n")
    metadata = "Metadata-Version: 2.1\nName: my_code\nVersion: 0.1\nRequires-Dist: tabulate>=0.8\n"
    (installed / "my_code-0.1.dist-info" / "METADATA").write_text(metadata)
    (installed / "my_code-0.1.dist-info" / "direct_url.json").write_text('{"url": "file:///home/me"}')
    made = export(installed=installed, prediction_class="my_code.Routine", package_names=("my_code-0.1.tar.gz",))
    names = set(content(made.directory))
    assert {"packages/my_code.py", "packages/my_code-0.1.dist-info/METADATA"} <= names
    assert not any("direct_url" in name for name in names)
    assert any(line.startswith("tabulate") for line in made.requirements), "its declared requirement"
    assert any(line.lower().startswith("pyyaml==") for line in made.requirements), "what it imports of this Python"
    manifest = Manifest.read(made.directory / "container.json")
    assert (manifest.prediction_class, manifest.packages) == ("my_code.Routine", ("packages",))


def test_export_refuses_code_compiled_for_another_python(tmp_path: Path) -> None:
    (tmp_path / "fast.so").write_bytes(b"\x7fELF")
    with pytest.raises(InputError, match=r"fast\.so"):
        code_files(tmp_path, "3.99")


def test_export_of_an_old_runtime_has_two_pythons(export) -> None:
    made = export(runtime_version="2.1", framework="scikit-learn")
    dockerfile = (made.directory / "Dockerfile").read_text()
    assert made.python == "3.7"
    assert "uv venv --python 3.7 /opt/model" in dockerfile
    assert "FROM python:3.7" not in dockerfile
    assert "scikit-learn==0.22.1" in made.requirements
    assert (made.directory / "requirements-server.txt").exists()
    assert Manifest.read(made.directory / "container.json").python == "/opt/model/bin/python"


def test_requirements_of_another_python_keep_the_bounds_of_the_catalog(tmp_path: Path) -> None:
    joblib.dump(LinearRegression().fit([[0.0]], [0.0]), tmp_path / "model.joblib")
    data = (tmp_path / "model.joblib").read_bytes()
    old = data.replace(
        sklearn.__version__.encode(), b"1.2.2"[: len(sklearn.__version__)].ljust(len(sklearn.__version__))
    )
    (tmp_path / "model.joblib").write_bytes(old)
    from aip_magics.artifacts import inspect_model_dir

    found = find_requirements(inspect_model_dir(tmp_path), "SCIKIT_LEARN", None)
    assert "scikit-learn==1.2.2" in found.model
    assert found.python in ("3.11", "3.10")
    assert "1.2.2" in found.reason


def test_export_never_touches_a_directory_of_others(export, tmp_path: Path) -> None:
    other = tmp_path / "project"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    for replace in (False, True):
        with pytest.raises(OptionError, match="is not the export of a container"):
            export(other, replace=replace)
    assert content(other) == {"thesis.txt": b"years of work"}


@pytest.mark.parametrize("change", ["edit", "add", "remove"])
def test_export_keeps_changes_of_the_user(export, change: str) -> None:
    made = export()
    dockerfile = made.directory / "Dockerfile"
    if change == "edit":
        dockerfile.write_text(dockerfile.read_text() + "RUN true\n")
    elif change == "add":
        (made.directory / "extra.py").touch()
    else:
        dockerfile.unlink()
    with pytest.raises(OptionError, match="was changed since the export"):
        export()
    assert not export(replace=True).unchanged
    assert "RUN true" not in dockerfile.read_text()
    assert not (made.directory / "extra.py").exists()


def test_export_replaces_its_own_unchanged_export(export, iris_export: Path, tmp_path: Path) -> None:
    first = export()
    (first.directory / "server" / "aip_magics" / "__pycache__").mkdir()  # a trial may leave bytecode
    second = export(with_model=True)
    assert second.directory == first.directory
    assert second.image != first.image
    assert (second.directory / "model").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["image"], "nothing is left beside it"


def test_export_knows_caches_of_python_by_their_place(export, tmp_path: Path) -> None:
    """Compiled modules without a source are code, and directories above the export may have any name."""
    (tmp_path / "installed").mkdir()
    (tmp_path / "installed" / "no_source.pyc").write_bytes(b"code")
    options = {"installed": tmp_path / "installed", "prediction_class": "no_source.Routine"}
    made = export(tmp_path / "__pycache__" / "image", **options)
    assert "packages/no_source.pyc" in made.files
    ignored = (made.directory / ".dockerignore").read_text().splitlines()
    assert [line for line in ignored if "cache" in line or "pyc" in line] == [
        "server/**/__pycache__",
        "packages/**/__pycache__",
    ]
    (made.directory / "extra.txt").touch()
    with pytest.raises(OptionError, match="was changed"):
        export(made.directory, **options)


def test_export_does_not_replace_the_current_directory(export, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "here" / "below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here" / "below")
    for directory in (Path(), Path(".."), tmp_path / "here"):
        with pytest.raises(OptionError, match="is the current directory"):
            export(directory)
    assert export(Path("image")).directory == tmp_path / "here" / "below" / "image"


def test_export_bad_input(export, iris_export: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="a model or a prediction class is required"):
        export(model=None)
    with pytest.raises(OptionError, match="--with-model requires a model"):
        export(model=None, prediction_class="a.B", with_model=True)
    with pytest.raises(ModelDirError):
        export(model=tmp_path / "none")
    with pytest.raises(FieldError, match="unknown runtime version"):
        export(runtime_version="9.9")
    for image in ("iris", IMAGE + ":latest", IMAGE.upper(), "a/b c"):
        with pytest.raises(OptionError, match="invalid image name"):
            export_container(tmp_path / "image", iris_export, image, ContainerOptions())
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(OptionError, match="is not the export"):
        export(file)
    with pytest.raises(InputError, match="could not write the container"):
        export(file / "below")
    assert not (tmp_path / "image").exists()


def test_image_name_is_valid_for_any_directory() -> None:
    assert image_name("us-east1", "demo", "My Model_2") == "us-east1-docker.pkg.dev/demo/models/my-model-2"
    assert image_name("us-east1", "demo", "…") == "us-east1-docker.pkg.dev/demo/models/model"


def test_server_files_import_nothing_that_is_not_copied() -> None:
    files = server_files()
    modules = {name.removeprefix("server/").removesuffix(".py").replace("/", ".") for name in files}
    modules |= {name.removesuffix(".__init__") for name in modules}
    for name, path in files.items():
        if path.suffix != ".py" or "/prediction/worker/" in name or name == "server/aip_magics/__init__.py":
            continue  # the worker imports itself; the package's own file imports parts for a notebook only
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aip_magics"):
                assert node.module in modules, f"{name} imports {node.module}"


def test_server_files_have_the_data_that_the_parts_read() -> None:
    names = set(server_files())
    assert {"server/aip_magics/catalog/runtimes.toml", "server/aip_magics/catalog/pickle_globals.json"} <= names
    assert not any("/export/" in name or name.endswith((".mo", ".po", ".md")) for name in names)
