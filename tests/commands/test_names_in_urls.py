"""Names that would address something else: every verb that takes one says what a name may be, and nothing is sent."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from resource_lines import Lines

from aip_magics import errors, resource_names
from aip_magics.client import calls
from aip_magics.storage import url_paths

BAD = ("iris/versions/v1", "iris?x=", "iris:predict", "../iris", "iris%2Fversions%2Fv1", "iris#v1", "iris v1")
BAD_FULL = (
    "projects/aip-local/models/iris/versions/v1/x",
    "projects/aip-local/models/iris?x=",
    "projects/aip-local/models/../models/iris",
    "projects/a/b/models/iris",
    "projects//models/iris",
)
# The verb's line, with a place for the name, and the option or argument that the error names.
OF_MODELS = (
    ("describe --model {}", "--model"),
    ("describe v1 --model {}", "--model"),
    ("describe v1 --model {} --stats", "--model"),
    ("describe v1 --model {} --compare v1", "--model"),
    ("list --model {}", "--model"),
    ("delete --model {} --yes", "--model"),
    ("delete v1 --model {} --yes", "--model"),
    ("delete --model {} --all-versions --yes", "--model"),
    ("delete v1 --model {} --artifacts", "--model"),
    ("update --model {} --description x", "--model"),
    ("update v1 --model {} --update-labels a=b", "--model"),
    ("set-default v1 --model {}", "--model"),
    ("promote v1 --model {}", "--model"),
    ("rollback --model {}", "--model"),
    ("traffic {}", "MODEL"),
    ("traffic {} v1=100", "MODEL"),
    ("compare v1 v1 --model {} --instances {request}", "--model"),
    ("predict --model {} --json-request {request}", "--model"),
    ("logs v1 --model {}", "--model"),
    ("logs --model {}", "--model"),
    ("create-version v2 --model {} --origin gs://aip-local-aiplatform/iris/v1/", "--model"),
)
OF_VERSIONS = (
    ("describe {} --model iris", "VERSION"),
    ("describe v1 --model iris --compare {}", "VERSION"),
    ("delete {} --model iris --yes", "VERSION"),
    ("update {} --model iris --description x", "VERSION"),
    ("set-default {} --model iris", "VERSION"),
    ("promote {} --model iris", "VERSION"),
    ("compare {} v1 --model iris --instances {request}", "VERSION"),
    ("compare v1 {} --model iris --instances {request}", "VERSION"),
    ("predict --model iris --version {} --json-request {request}", "VERSION"),
    ("logs {} --model iris", "VERSION"),
)
OF_OPERATIONS = (
    ("describe --operation {}", "OPERATION"),
    ("operations describe {}", "OPERATION"),
    ("wait {}", "OPERATION"),
    ("attach {}", "OPERATION"),
    ("cancel {}", "OPERATION"),
)
OF_BUCKETS = (
    "pull gs://{}/iris/v1 {folder}",
    "upload {folder} gs://{}/x",
    "remove gs://{}/iris/v1/ --yes --force",
    "deploy v2 --model iris --origin gs://{}/iris/v1",
    "deploy v2 --model iris --origin {export} --staging-bucket gs://{}",
)


@pytest.fixture
def served(embedded: Path, iris_export: Path) -> Lines:
    lines = Lines(embedded)
    lines(f"deploy v1 --model iris --origin {iris_export}")
    return lines


def test_resource_names_no_verb_accepts_an_illegal_one(served: Lines, iris_export: Path, tmp_path: Path) -> None:
    request = tmp_path / "request.json"
    request.write_text('{"instances": [[5.1, 3.5, 1.4, 0.2]]}')
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_text("x")
    here = {"request": request, "folder": folder, "export": iris_export}
    followed = set()
    for table, bad in (
        (OF_MODELS, (*BAD, *BAD_FULL, "projects/aip-local/models/iris/versions/v1")),
        (OF_VERSIONS, (*BAD, *BAD_FULL, "projects/aip-local/models/iris")),
        (OF_OPERATIONS, (*BAD, *BAD_FULL, "projects/aip-local/models/iris")),
    ):
        for line, where in table:
            for name in bad:
                with pytest.raises(errors.OptionError) as caught:
                    pytest.fail(f"{line} took {name!r}: {served(line.format(shlex.quote(name), **here))}")
                assert caught.value.where == where, (line, name)
                assert re.search(r"invalid|is not", caught.value.message), (line, name)
                followed.add(caught.value.fix)
    for fix in followed:
        if "%aip_" in fix and "iris/" not in fix:
            served(fix.partition("%aip_")[2].partition(" to list the names")[0].replace("_", "-"))
    for line in OF_BUCKETS:
        for name in ("aip-local-aiplatform?x=", "aip-local-aiplatform#x", "..", "a%2Fb"):
            with pytest.raises(errors.AipError) as failed:
                pytest.fail(f"{line} took {name!r}: {served(line.format(name, **here))}")
            assert type(failed.value) in (errors.StorageError, errors.ChecksFailed, errors.OptionError), line
    for line in ("delete --model '' --yes", "delete '' --model iris --yes", "update '' --model iris --description x"):
        with pytest.raises(errors.OptionError, match="'' is not a name"):
            served(line)
    assert [version.id for version in served("list --model iris")] == ["v1"]
    assert served("describe v1 --model iris").description is None
    full_names_work_where_gcloud_takes_them(served)


def full_names_work_where_gcloud_takes_them(served: Lines) -> None:
    project = "projects/aip-local"
    assert served(f"describe --model {project}/models/iris").id == "iris"
    assert served(f"describe {project}/models/iris/versions/v1").id == "v1"
    assert [version.id for version in served(f"list --model {project}/models/iris")] == ["v1"]
    [operation] = served("operations")
    assert served(f"operations describe {operation.name}").name == operation.name
    assert served(f"describe --operation {operation.name.rpartition('/')[2]}").name == operation.name
    assert served(f"set-default {project}/models/iris/versions/v1").isDefault


@pytest.mark.parametrize("project", ["a/b", "..", "p?x", "p q", "", "a:b:c"])
def test_names_of_projects_are_one_part_of_the_path(project: str) -> None:
    for made in (
        lambda: calls.list_models(project),
        lambda: calls.list_operations(project),
        lambda: calls.model_name(project, "m"),
        lambda: calls.operation_name(project, "o"),
    ):
        with pytest.raises(errors.OptionError, match="invalid project ID") as caught:
            made()
        assert caught.value.where == "--project"


def test_names_given_by_services_are_accepted() -> None:
    assert calls.model_name("example.com:my-project", "m") == "projects/example.com:my-project/models/m"
    assert calls.operation_name("p", "projects/12345/operations/create_m_v1-1607910475000").startswith(
        "projects/12345/"
    )
    located = "projects/my-project/locations/us-central1/operations/1234567"
    assert resource_names.operation_path("p", located) == located


@pytest.mark.parametrize("bucket", ["a/b", "b?x", "..", "bucket#", "Bucket", "b%2Fc"])
def test_names_of_buckets_are_one_part_of_the_path(bucket: str) -> None:
    for made in (
        url_paths.bucket_path,
        url_paths.upload_path,
        url_paths.xml_path,
        lambda name: url_paths.object_path(name, "x"),
    ):
        with pytest.raises(errors.StorageError):
            made(bucket)


@pytest.mark.parametrize("name", ["a/b?c#d", "..%2F", "a/../b", "%", " "])
def test_names_of_objects_are_one_part_of_the_path(name: str) -> None:
    path = url_paths.object_path("bucket", name)
    assert path.count("/") == 6
    assert not set(path) & set("?# ")


@pytest.mark.parametrize("name", [".", "..", "", "a\nb"])
def test_names_of_impossible_objects_are_not_requested(name: str) -> None:
    with pytest.raises(errors.StorageError):
        url_paths.object_path("bucket", name)
