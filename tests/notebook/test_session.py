"""What belongs to a notebook: its configuration, its last run, its journal; and how a magic's value is kept quiet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aip_magics.commands.config import NAMES
from aip_magics.errors import NotFound, OptionError, SettingsError
from aip_magics.notebook.configuration import get_session
from aip_magics.notebook.session import get_history_log


def sources(shell: Any) -> dict[str, tuple[str, str]]:
    found = shell.run_line_magic("aip_config", "--quiet")
    return {name: (setting.value, setting.source) for name, setting in found.settings.items()}


def test_session_settings_tell_who_wins_and_why(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sources(shell)["project"] == ("aip-local", "default of the local target")
    assert sources(shell)["bucket"] == ("aip-local-aiplatform", "PROJECT_ID-aiplatform")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "from-variable")
    assert sources(shell)["project"] == ("from-variable", "environment variable GOOGLE_CLOUD_PROJECT")
    shell.run_line_magic("aip_config", "--project from-notebook --quiet")
    assert sources(shell)["project"] == ("from-notebook", "configuration of this session")
    shell.run_line_magic("aip_list", "--project from-last-run --show curl --quiet")
    assert sources(shell)["project"] == ("from-last-run", "last run")
    text = shell.run_line_magic("aip_list", "--project from-argument --show gcloud --quiet")
    assert "--project=from-argument" in text
    shell.run_line_magic("config", "AipMagics.project = 'from-config'")  # configured after the run: it wins
    assert sources(shell)["project"] == ("from-config", "configuration of this session")
    shell.run_line_magic("aip_config", "--unset project --quiet")
    assert sources(shell)["project"] == ("from-variable", "environment variable GOOGLE_CLOUD_PROJECT")


def test_session_settings_can_each_be_configured(shell: Any) -> None:
    session = get_session(shell)
    session.configure({name: "x" for name in NAMES})
    assert session.session() == {name: "x" for name in NAMES}
    session.language = "ko"  # is none of these
    assert set(session.session()) == set(NAMES)


def test_session_settings_do_not_keep_what_is_refused(shell: Any) -> None:
    with pytest.raises(SettingsError, match="invalid project ID"):
        shell.run_line_magic("aip_config", "--project 12345 --quiet")
    assert get_session(shell).session() == {}
    with pytest.raises(NotFound):  # a run that failed is no example for the next
        shell.run_line_magic("aip_describe", "--model none --project some-other-project")
    assert sources(shell)["project"][0] == "aip-local"


def test_session_settings_do_not_keep_a_region_that_the_target_does_not_have(
    shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for line in ("--region mars", "--target aiplatform --region mars"):
        with pytest.raises(OptionError, match="invalid region 'mars' for target"):
            shell.run_line_magic("aip_config", f"{line} --quiet")
    assert get_session(shell).session() == {}
    monkeypatch.setenv("AIP_MAGICS_REGION", "mars")
    assert "invalid region 'mars'" in shell.run_line_magic("aip_config", "--quiet").problem


def test_session_settings_rehearse_on_the_embedded_server(shell: Any) -> None:
    line = "--target vertex --endpoint local --region europe-west12 --quiet"
    found = shell.run_line_magic("aip_config", line).settings
    values = {name: setting.value for name, setting in found.items()}
    assert values.items() >= {"target": "vertex", "endpoint": "local", "region": "europe-west12"}.items()
    assert (values["project"], found["storage_endpoint"].source) == ("aip-local", "the embedded server")
    shown = shell.run_line_magic("aip_list", "--dry-run --quiet")
    assert "/locations/europe-west12/models" in " ".join(each.url for each in shown.requests)
    with pytest.raises(OptionError, match="invalid region 'europe-west12' for target local"):
        shell.run_line_magic("aip_list", "--target local --quiet")


def test_session_settings_keep_a_target_whose_project_is_not_known_yet(shell: Any) -> None:
    found = shell.run_line_magic("aip_config", "--target aiplatform --quiet")
    assert "no project is set" in found.problem
    assert found.settings["target"].value == "aiplatform"
    shell.run_line_magic("aip_config", "--project some-project --quiet")
    assert sources(shell)["target"] == ("aiplatform", "configuration of this session")


def test_session_settings_of_another_target_take_nothing_of_the_last_run(shell: Any) -> None:
    shell.run_line_magic("aip_list", "--target aiplatform --project cloud-project --region us-east1 --show curl -q")
    text = shell.run_line_magic("aip_list", "--target local --show gcloud --quiet")
    assert "--project=aip-local --region=global" in text
    shell.run_line_magic("aip_list", "--endpoint http://127.0.0.1:9 --project some-project --show curl --quiet")
    assert sources(shell)["target"] == ("aiplatform", "an endpoint is set")


def test_session_settings_have_the_default_bucket_of_a_deploy(shell: Any, iris_export: Path) -> None:
    shell.run_line_magic("aip_config", "--bucket gs://my-own-bucket --quiet")
    plan = shell.run_line_magic("aip_deploy", f"--origin {iris_export} --dry-run --quiet")
    assert str(plan.upload_to).startswith("gs://my-own-bucket/")
    assert ("bucket", "configuration of this session") in [(choice.field, choice.source) for choice in plan.choices]


def test_magics_with_a_semicolon_show_nothing_and_return_nothing(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shell.run_line_magic("aip_list", "--show gcloud") is not None
    assert "gcloud ai-platform models list" in capsys.readouterr().out
    assert shell.run_line_magic("aip_list", "--show gcloud -o kept; ") is None
    assert capsys.readouterr().out == ""
    assert "gcloud ai-platform models list" in shell.user_ns["kept"]


def test_history_log_is_separate_for_each_notebook(
    shell: Any, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/me/first.ipynb")
    shell.run_line_magic("aip_create_model", "iris --quiet")
    first = shell.run_line_magic("aip_history", "--quiet")
    assert [entry.verb for entry in first.entries] == ["create-model"]
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/me/second.ipynb")
    assert shell.run_line_magic("aip_history", "--quiet").entries == []
    monkeypatch.delenv("JPY_SESSION_NAME")
    assert get_history_log({"__vsc_ipynb_file__": "/home/me/first.ipynb"}, home).entries() == first.entries
    monkeypatch.chdir(tmp_path)
    assert get_history_log({}, home).key.startswith(str(tmp_path))


def test_attach_and_history_with_nothing_done(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert shell.run_line_magic("aip_attach", "") is None
    shell.run_line_magic("aip_history", "-o found")
    shown = capsys.readouterr().out
    assert "no operation of this notebook is running" in shown
    assert "no commands have been run yet" in shown
    with pytest.raises(OptionError, match="--cancel-on-interupt"):
        shell.run_line_magic("aip_attach", "--cancel-on-interupt")
