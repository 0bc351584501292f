"""What the lower folders say to a Korean reader: real panels, errors and form fields, with their values in place."""

from __future__ import annotations

import pytest

from aip_magics import i18n
from aip_magics.errors import InstancesError, StorageError
from aip_magics.events import StepFinished, StepStarted
from aip_magics.notebook.form.fields import fields, get_label
from aip_magics.prediction.instances import parse_json_instances
from aip_magics.render import html, text
from aip_magics.render.run_state import RunState
from aip_magics.spec import Version
from aip_magics.storage.gs_uri import GsUri


@pytest.fixture(autouse=True)
def korean():
    i18n.use("ko")
    yield
    i18n.use("en")


def test_korean_panel_of_a_run():
    state = RunState("aip_deploy").apply(StepStarted("upload", "iris"), 0.0)
    state = state.apply(StepFinished("upload", "3"), 1.0).finished(1.0)
    assert "완료" in text.of(state)
    assert "단계" in text.of(state)
    assert ">상태</th>" in html.of(state)
    assert "done" not in html.of(state)


def test_korean_list_keeps_the_names_of_the_api():
    shown = text.of([Version(name="projects/p/models/m/versions/v1", state="READY")])
    assert "머신 유형" in shown
    assert "v1" in shown
    assert "READY" in shown


def test_korean_predictions_are_counted():
    assert "예측 2개" in text.of({"predictions": [1, 2]})


def test_korean_error_and_its_fix():
    with pytest.raises(InstancesError) as found:
        parse_json_instances("[1]\n[2", "rows.json")
    assert found.value.message.startswith("잘못된 JSON입니다: 3열에서")
    assert (found.value.where, found.value.fix) == ("rows.json, 2행", "한 줄에 JSON 값을 하나씩 쓰세요")


def test_korean_storage_name():
    with pytest.raises(StorageError, match="Cloud Storage URI 's3://x'이\\(가\\) 올바르지 않습니다"):
        GsUri.parse("s3://x")


def test_korean_labels_of_the_form():
    assert {"모델 이름", "프레임워크", "테스트 인스턴스"} <= {field.label for field in fields()}
    assert (get_label("scaling", "automatic"), get_label("region", "global")) == ("자동", "global")
