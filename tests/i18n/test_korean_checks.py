"""What checks, artifacts and catalog tell comes in Korean with its values in place, and nothing of it in English."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from aip_magics import artifacts, catalog, checks, i18n
from aip_magics.artifacts import packages
from aip_magics.errors import ModelDirError, OptionError
from aip_magics.spec import Model, Version

HANGUL = re.compile("[가-힣]")


@pytest.fixture(autouse=True)
def korean() -> Iterator[None]:
    i18n.use("ko")
    yield
    i18n.use("en")


def subject(folder: Path, *, name: str = "iris", kind: str = "local", **version: object) -> checks.CheckContext:
    return checks.CheckContext(
        model=Model(name=name),
        version=Version.from_json({"name": "v1", **version}),
        model_dir=artifacts.inspect_model_dir(folder),
        target=checks.TargetFacts(kind, is_cloud=kind != "local"),
        test_request=json.dumps({"instances": [[1, 2]]}).encode(),
    )


def findings(of: checks.CheckContext) -> dict[str, checks.Finding]:
    return {finding.id: finding for finding in checks.run(of).findings}


def test_korean_finding_has_its_value_and_its_fix(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04}.")
    found = findings(subject(tmp_path, name="iris-model"))["M02"]
    assert found.message.startswith("'iris-model'은(는) 이름으로 쓸 수 없습니다")
    assert found.fix == "iris_model을(를) 사용하세요"


def test_korean_finding_has_the_reason_of_a_near_miss(tmp_path: Path) -> None:
    (tmp_path / "net.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    found = findings(subject(tmp_path))["A19"]
    assert found.message == "net.h5: 모델 없이 Keras 모델의 가중치만 있습니다. SavedModel만 서빙할 수 있습니다"
    # Code stays code, and the rule still tells Keras from the rest, whatever the language.
    assert "model.load_weights(" in found.fix


def test_korean_texts_of_every_outcome(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04}.")
    bare = checks.CheckContext(Model(name="iris"), Version(name="v1"))
    for one in (bare, subject(tmp_path), subject(tmp_path, kind="aiplatform", framework="SCIKIT_LEARN")):
        report = checks.run(one)
        told = {id: skipped.reason for id, skipped in report.skipped.items()}
        told |= {finding.id: finding.message for finding in report.findings}
        assert [text for text in told.values() if not HANGUL.search(text)] == []


def test_korean_may_be_chosen_while_the_process_runs() -> None:
    bare = checks.CheckContext(Model(name="iris"), Version(name="v1"))
    assert checks.run(bare).skipped["R01"].reason == "테스트 인스턴스가 없습니다"
    i18n.use("en")
    assert checks.run(bare).skipped["R01"].reason == "no test instances were given"


def test_korean_error_of_an_unknown_check(tmp_path: Path) -> None:
    with pytest.raises(OptionError) as caught:
        checks.run(checks.CheckContext(Model(name="iris"), Version(name="v1")), skip=["nonsense"])
    assert caught.value.message == "'nonsense' 검사는 없습니다"
    assert caught.value.where == "--skip"


def test_korean_error_of_a_missing_directory_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()
    with pytest.raises(ModelDirError) as caught:
        artifacts.inspect_model_dir(tmp_path / "exprt")
    assert caught.value.message == f"{tmp_path / 'exprt'}이(가) 없습니다"
    assert caught.value.fix == f"혹시 {tmp_path / 'export'}인가요?"


def test_korean_error_of_a_refused_package_says_why(tmp_path: Path) -> None:
    (tmp_path / "code-1.0.tar.gz").touch()
    facts = packages.read(tmp_path / "code-1.0.tar.gz")
    assert facts.problem == "파일이 비어 있습니다"
    assert "%aip_package" in facts.fix
    assert HANGUL.search(facts.fix)


def test_korean_reason_for_a_runtime_has_the_versions() -> None:
    assert catalog.match_runtime("SCIKIT_LEARN", "1.0.2").reason == "모델: scikit-learn 1.0.2, 런타임 2.11: 1.0.2"
    reason = catalog.match_runtime("SCIKIT_LEARN", "1.9.1").reason
    assert reason.startswith("scikit-learn 1.9.1은 어느 런타임에서도 로드할 수 없음; ")
    assert "런타임 2.11의 1.0.2" in reason
