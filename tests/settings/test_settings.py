from __future__ import annotations

from pathlib import Path

import pytest

from aip_magics.errors import SettingsError
from aip_magics.settings import Environment, resolve


def gcloud_home(tmp_path: Path, **properties: str) -> dict[str, str]:
    (tmp_path / "configurations").mkdir()
    (tmp_path / "active_config").write_text("work")
    lines = ["[core]", *(f"{key} = {value}" for key, value in properties.items())]
    (tmp_path / "configurations" / "config_work").write_text("\n".join(lines))
    return {"CLOUDSDK_CONFIG": str(tmp_path)}


def test_settings_without_any_are_the_embedded_server(tmp_path: Path) -> None:
    settings = resolve(environment=Environment.read({"CLOUDSDK_CONFIG": str(tmp_path)}))
    assert (settings.target.value, settings.project.value, settings.region) == ("local", "aip-local", None)
    assert "default" in settings.project.source


def test_settings_have_an_order_of_sources(tmp_path: Path) -> None:
    variables = {**gcloud_home(tmp_path, project="from-gcloud"), "GOOGLE_CLOUD_PROJECT": "from-environment"}
    session = {"project": "from-session"}
    read = Environment.read
    assert resolve(project="from-argument", session=session, environment=read(variables)).project.source == "argument"
    assert resolve(session=session, environment=read(variables)).project.value == "from-session"
    found = resolve(environment=read(variables)).project
    assert (found.value, found.source) == ("from-gcloud", "gcloud's configuration (core/project)")
    found = resolve(environment=read({**variables, "CLOUDSDK_CORE_PROJECT": "from-variable"})).project
    assert (found.value, found.source) == ("from-variable", "environment variable CLOUDSDK_CORE_PROJECT")
    del variables["CLOUDSDK_CONFIG"]
    variables["HOME"] = str(tmp_path / "nowhere")
    assert resolve(environment=read(variables)).project.value == "from-environment"


def test_settings_region_global_is_the_global_endpoint(tmp_path: Path) -> None:
    environment = Environment.read({"CLOUDSDK_CONFIG": str(tmp_path), "CLOUDSDK_AI_PLATFORM_REGION": "europe-west1"})
    assert resolve(environment=environment).region.value == "europe-west1"  # type: ignore[union-attr]
    assert resolve(region="global", environment=environment).region is None


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"target": "locl"}, "did you mean 'local'"),
        ({"target": "aiplatform"}, "no project is set"),
        ({"project": "123456789012"}, "project number"),
        ({"project": "My Project"}, "invalid project ID"),
    ],
)
def test_settings_tell_what_is_wrong(tmp_path: Path, arguments: dict[str, str], text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        resolve(**arguments, environment=Environment.read({"CLOUDSDK_CONFIG": str(tmp_path)}))  # type: ignore[arg-type]
    assert text in "\n".join(caught.value.format_lines())


def test_settings_ignore_a_damaged_gcloud_configuration(tmp_path: Path) -> None:
    variables = gcloud_home(tmp_path)
    (tmp_path / "configurations" / "config_work").write_bytes(b"\xff\xfe[core")
    assert Environment.read(variables).gcloud == {}
