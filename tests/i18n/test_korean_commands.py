"""With Korean chosen, errors, help, steps and sources of commands and deployments come in Korean, values in place."""

from __future__ import annotations

import pytest

from aip_magics import i18n
from aip_magics.artifacts import inspect_model_dir
from aip_magics.commands.registry import build_parser, get_command
from aip_magics.deploy.plan import steps
from aip_magics.deploy.steps import file_summary
from aip_magics.errors import FieldError, OptionError, SettingsError
from aip_magics.settings import Environment, resolve
from aip_magics.spec import Version


@pytest.fixture(autouse=True)
def korean():
    i18n.use("ko")
    yield
    i18n.use("en")


def parser():
    return build_parser(get_command("deploy"), "%aip_deploy")


def test_korean_error_has_its_three_lines():
    with pytest.raises(OptionError) as caught:
        parser().parse(["--orign", "x"])
    assert caught.value.format_lines() == [
        "OptionError: --orign 옵션은 없습니다",
        "  위치: %aip_deploy",
        "  해결: 혹시 '--origin'인가요?",
    ]


def test_korean_errors_of_argparse():
    with pytest.raises(OptionError, match="인수 하나가 필요합니다"):
        parser().parse(["--origin"])
    with pytest.raises(OptionError, match="int 값이 잘못되었습니다: 'many'"):
        parser().parse(["--min-nodes", "many"])


def test_korean_help_keeps_the_flags():
    text = parser().format_help()
    assert text.startswith("사용법: %aip_deploy [-h]")
    assert "모델의 디렉터리(로컬 또는 gs://) 또는 $model" in text
    for line in ("위치 인수:", "옵션:", "대상:", "예:", "--origin DIR", "--min-nodes N"):
        assert line in text


def test_korean_error_of_a_field_of_the_wrong_kind_names_the_value():
    with pytest.raises(FieldError) as caught:
        Version.from_json({"isDefault": "maybe"})
    assert caught.value.message == "true 또는 false이(가) 필요합니다. 주어진 값: 텍스트 'maybe'"
    assert caught.value.where == "version.isDefault"


def test_korean_setting_tells_its_source_and_code_still_compares_it():
    nowhere = Environment({}, {})
    found = resolve(last_run={"target": "local", "project": "my-project"}, environment=nowhere)
    assert (found.project.source, found.project.label) == ("last run", "마지막 실행")
    with pytest.raises(SettingsError, match="프로젝트 ID '12345'가 올바르지 않습니다") as caught:
        resolve(target="local", project="12345", environment=nowhere)
    assert caught.value.fix.startswith("프로젝트 번호 대신 프로젝트 ID를 쓰세요")


def test_korean_steps_and_summaries_are_made_when_they_are_shown(tmp_path):
    assert [step.title for step in steps()][:2] == ["모델 파일 살펴보기", "사전 검사"]
    (tmp_path / "model.bst").write_bytes(b"x" * 1500)
    assert file_summary(inspect_model_dir(tmp_path)).startswith("파일 1개, 1.5 kB: model.bst")
    i18n.use("en")
    assert steps()[0].title == "Inspect model files"
