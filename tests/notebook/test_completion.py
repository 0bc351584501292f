"""Tab in magics: what is offered, where, by a real kernel and a real terminal shell; and that nothing is asked."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter, rectify_completions
from kernel_client import kernel
from sklearn.linear_model import LogisticRegression

from aip_magics import catalog
from aip_magics.commands.common import name_cache
from aip_magics.commands.verbs import VERBS, magic_name
from aip_magics.notebook.completion import complete

ROOT = Path(__file__).parents[2]
NAMES = (
    '{"local global aip-local": {"models": {"iris": ["v1", "v2"], "bees": []}, "buckets": ["one", "two"]},'
    ' "aiplatform us-central1 other-project": {"models": {"cloudy": []}, "buckets": []}}'
)
VARIABLES: dict[str, Any] = {
    "clf": LogisticRegression(),
    "rows": [[1.0]],
    "folder": Path("export"),
    "text": "a text",
    "labels": {"a": "b"},
    "sys": sys,
    "_hidden": 1,
    "In": [],
}


@pytest.fixture
def tab(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[str, list[str]]]:
    """What Tab replaces and offers at the | of a cell, in a directory with some files; the network is not there."""
    home.mkdir(parents=True, exist_ok=True)
    (home / name_cache.FILE).write_text(NAMES)
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "model.joblib").touch()
    (tmp_path / "my models").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "한국어.json").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("Tab asked the network"))

    def offered(text: str) -> tuple[str, list[str]]:
        at = text.index("|")
        line = text[:at].count("\n")
        offer = complete(text.replace("|", "", 1), line, at - (text.rfind("\n", 0, at) + 1), VARIABLES)
        return offer.fragment, list(offer.texts)

    return offered


@pytest.mark.parametrize(
    ("text", "fragment", "texts"),
    [
        ("%aip_deploy --orig|", "--orig", ["--origin"]),
        ("%%aip_deploy --orig|\ntest: 1", "--orig", ["--origin"]),
        ("version = %aip_describe --mod|", "--mod", ["--model"]),
        ("x = 1\n  %aip_deploy v1 --orig| --model x", "--orig", ["--origin"]),
        ("%aip_deploy --origin x --orig|", "--orig", []),  # it is there already
        ("%aip_deploy --orig| --origin x", "--orig", []),
        ("%aip_deploy --skip C01 --ski|", "--ski", ["--skip"]),  # can be given again
        ("%aip_deploy --framework sci|", "sci", ["scikit-learn"]),
        ("%aip_deploy --framework te|", "te", ["tensorflow"]),
        ("%aip_deploy --framework c|", "c", []),  # and not $clf
        ("%aip_deploy --framework $te|", "$te", ["$text"]),
        ("%aip_deploy --framework=XG|", "XG", ["xgboost"]),
        ("%aip_deploy --quiet --explanation-method x|", "x", ["xrai"]),
        ("%aip_check ex|", "ex", ["export/"]),
        ("%aip_check $c|", "$c", ["$clf"]),
        ("%aip_upload export gs://t|", "gs://t", ["gs://two"]),
        ("%aip_remove gs://t|", "gs://t", ["gs://two"]),
        ("%aip_remove gs://one/a/ gs://t| --yes", "gs://t", ["gs://two"]),
        ("%aip_server st|", "st", ["start", "status", "stop"]),
        ("%aip_deploy --model |", "", ["bees", "iris"]),
        ("%aip_deploy --model=i|", "i", ["iris"]),
        ("%aip_predict --version | --model iris", "", ["v1", "v2"]),
        ("%aip_describe v| --model iris", "v", ["v1", "v2"]),
        ("%aip_compare v1 v| --model iris", "v", ["v1", "v2"]),
        ("%aip_compare v1 v2 --instances $r|", "$r", ["$rows"]),
        ("%aip_compare v1 v2 --instances ex|", "ex", ["export/"]),
        ("%aip_promote v| --model iris", "v", ["v1", "v2"]),
        ("%aip_promote v|", "v", []),  # of which of the two models?
        ("%aip_traffic i|", "i", ["iris"]),
        ("%aip_traffic iris v|", "v", ["v1=", "v2="]),
        ("%aip_traffic iris v1=10 v|", "v", ["v2="]),
        ("%aip_traffic iris v| v1=10 --quiet", "v", ["v2="]),
        ("%aip_list --target aiplatform --project other-project --region us-central1 --model |", "", ["cloudy"]),
        ("%aip_list --target aiplatform --project 1 --model |", "", []),  # no project: nothing known, no error
        ("%aip_deploy --staging-bucket gs://o|", "gs://o", ["gs://one"]),
        ("%aip_deploy --origin g|", "g", ["gs://one", "gs://two"]),
        ("%aip_deploy --origin ex|", "ex", ["export/"]),
        ("%aip_deploy --origin export/|", "export/", ["export/model.joblib"]),
        ("%aip_deploy --origin my|", "my", ["'my models/'"]),
        ("%aip_deploy --origin 'my m|", "'my m", ["'my models/'"]),
        ("%aip_deploy --origin .h|", ".h", [".hidden/"]),
        ("%aip_deploy --origin nowhere/|", "nowhere/", []),
        ("%aip_deploy --package-uris a.tar.gz,ex|", "ex", ["export/"]),
        ("%aip_local_predict --json-instances 한|", "한", ["한국어.json"]),
        ("%aip_deploy --origin $|", "$", ["$clf", "$folder", "$labels", "$rows", "$text"]),
        ("%aip_deploy --labels=$|", "$", ["$labels", "$clf", "$folder", "$rows", "$text"]),
        ("%aip_deploy --description $t|", "$t", ["$text"]),
        ("%aip_deploy --description $_|", "$_", ["$_hidden"]),
        ("%aip_deploy --description x|", "x", []),
        ("%aip_deploy --runtime-version 1.15 --python-version |", "", ["3.7", "2.7"]),
        ("%aip_deploy --machine-type n1-highcpu-3|", "n1-highcpu-3", ["n1-highcpu-32"]),
        ("%aip_deploy --regions us-central1,us-e|", "us-e", ["us-east1", "us-east4"]),
        ("%aip_deploy --target v|", "v", ["vertex"]),
        ("%aip_deploy --region eur|", "eur", ["europe-west1", "europe-west2", "europe-west3", "europe-west4"]),
        ("%aip_deploy --target vertex --region me-|", "me-", ["me-central1", "me-central2", "me-west1"]),
        ("%aip_deploy --region me-| --target vertex", "me-", ["me-central1", "me-central2", "me-west1"]),
        ("%aip_deploy --target nowhere --region me-|", "me-", []),
        ("%aip_deploy --target vertex --machine-type mls|", "mls", []),
        (
            "%aip_deploy --target vertex --machine-type g2-standard-4|",
            "g2-standard-4",
            ["g2-standard-4", "g2-standard-48"],
        ),
        ("%aip_config --target=vertex --region=me-w|", "me-w", ["me-west1"]),
        ("%aip_nothing --|", "", []),
        ("%aip_deploy|", "", []),  # the name itself is IPython's
        ("print('%aip_deploy --o|", "", []),
    ],
)
def test_completion_of_a_line(tab: Callable[[str], Any], text: str, fragment: str, texts: list[str]) -> None:
    assert tab(text) == (fragment, texts)


def test_completion_of_an_empty_word_offers_what_can_follow(tab: Callable[[str], Any]) -> None:
    _, origin = tab("%aip_deploy --origin |")
    assert origin == ["$clf", "$folder", "gs://one", "gs://two", "export/", "'my models/'", "한국어.json"]
    _, described = tab("%aip_describe | --model iris")
    assert described[:3] == ["v1", "v2", "--help"]
    assert "--model" not in described
    _, runtimes = tab("%aip_deploy --runtime-version |")
    assert runtimes == [runtime.version for runtime in catalog.runtimes()]


@pytest.mark.parametrize(
    ("text", "fragment", "texts"),
    [
        ("%%aip_deploy\nfr|", "fr", ["framework: "]),
        ("%%aip_deploy --model x\nruntimeVersion: 2.1|", "2.1", ["2.11", "2.1"]),
        ("%%aip_deploy\nframework: S|", "S", ["SCIKIT_LEARN"]),
        ("%%aip_deploy\nte|\nframework: x", "te", ["test: "]),
        ("%%aip_deploy\ntest:\n  |", "", ["instances: "]),
        ("%%aip_deploy\nmo|", "mo", ["model: "]),
        ("%%aip_deploy\nmodel:\n  de|", "de", ["description: "]),
        ("%%aip_deploy\nmodel:\n  onlinePredictionLogging: |", "", ["true", "false"]),
        ("%%aip_create_version v1\nmo|", "mo", []),
        ("%%aip_deploy\nautoScaling:\n  m|\n  minNodes: 1\nmanualScaling:", "m", ["maxNodes: ", "metrics: "]),
        ("%%aip_deploy\nautoScaling:\n  metrics:\n  - na|", "na", ["name: "]),
        ("%%aip_deploy\nmachineType: n1-highcpu-3|", "n1-highcpu-3", ["n1-highcpu-32"]),
        ("%%aip_deploy\npackageUris:\n- ./ex|", "./ex", ["./export/"]),
        ("%%aip_deploy\ndeploymentUri: $c|", "$c", ["$clf"]),
        ("%%aip_deploy\nstate|", "state", []),  # the service sets it
        ("%%aip_deploy\nlabels:\n  te|", "te", []),
        ("%%aip_deploy\nfoo:\n  bar:\n    te|", "te", []),
        ("%%aip_deploy\ndescription: fr|", "fr", []),
        ("%%aip_deploy\nframework: x\nfr|", "fr", []),
        ("\n%%aip_deploy\nfr|", "fr", ["framework: "]),
        ("%%aip_create_version v1 --model x\nte|", "te", []),
        ("%%aip_create_model x\nonlinePredictionL|", "onlinePredictionL", ["onlinePredictionLogging: "]),
        ("%%aip_create_model x\nonlinePredictionLogging: t|", "t", ["true"]),
        ("%%aip_predict --model x\n$r|", "$r", ["$rows"]),
        ("%%aip_predict --model x\ninstances: $|", "$", ["$rows", "$clf", "$folder", "$labels", "$text"]),
        ("%%aip_predict --model x\n[1, 2|", "", []),
        ("%%aip_deployed\nfr|", "", []),
        # What the target of the line cannot use is not offered.
        ("%%aip_deploy --target vertex\nru|", "ru", []),
        ("%%aip_deploy --target aiplatform\nru|", "ru", ["runtimeVersion: "]),
        ("%%aip_deploy --target vertex\npr|", "pr", []),
        ("%%aip_deploy --target vertex --endpoint local\npr|", "pr", ["predictionClass: "]),
        ("%%aip_deploy --target vertex\nmachineType: g2-standard-8|", "g2-standard-8", ["g2-standard-8"]),
    ],
)
def test_completion_of_a_body(tab: Callable[[str], Any], text: str, fragment: str, texts: list[str]) -> None:
    assert tab(text) == (fragment, texts)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_completion_offers_the_flags_of_every_magic(tab: Callable[[str], Any], verb: str) -> None:
    assert {"--help", "--quiet"} <= set(tab(f"%{magic_name(verb)} --|")[1])
    tab(f"%{magic_name(verb)} |")
    if VERBS[verb].body != "none":
        tab(f"%%{magic_name(verb)}\n|")


class Trap:
    """An object that must not be touched: a proxy may ask the network for each attribute."""

    def __getattr__(self, name: str) -> Any:
        pytest.fail(f"Tab asked a variable for {name}")


def test_completion_judges_a_variable_by_its_class_only(
    tab: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(VARIABLES, "trap", Trap())
    for where in ("--origin", "--package-uris", "--labels", "--description"):
        assert "$trap" in tab(f"%aip_deploy {where} $|")[1]
    assert "$trap" in tab("%%aip_predict --model x\n$|")[1]


def test_completion_is_the_same_in_a_kernel_and_a_terminal(home: Path, tmp_path: Path, shell: Any) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / name_cache.FILE).write_text(NAMES)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "IPYTHONDIR": str(tmp_path / "ipython")}
    cells = {
        "%aip_deploy --orig|": ("--orig", ["--origin"]),
        "%aip_deploy --model i|": ("i", ["iris"]),
        "%%aip_deploy --model iris\nframew|": ("framew", ["framework: "]),
        "value = %aip_describe v|  --model iris": ("v", ["v1", "v2"]),
        "%aip_deploy --description $my_|": ("$my_", ["$my_text"]),
        "my_te|": ("my_te", ["my_text"]),  # Python is as it was
    }
    with kernel(sys.executable, tmp_path, env) as real:
        real.run("%load_ext aip_magics\nmy_text = 'x'")
        assert {cell: real.complete(cell) for cell in cells} == cells

    shell.user_ns["my_text"] = "x"
    assert {cell: in_terminal(shell, cell) for cell in cells} == cells


def in_terminal(shell: Any, cell: str) -> tuple[str, list[str]]:
    """What the terminal's interface asks of the shell: it, too, replaces what stands before the |."""
    at, code = cell.index("|"), cell.replace("|", "", 1)
    with provisionalcompleter():
        found = list(rectify_completions(code, shell.Completer.completions(code, at)))
    assert {one.end for one in found} <= {at}
    return code[found[0].start : at] if found else "", [one.text for one in found]
