from __future__ import annotations

import html.parser
import re
from pathlib import Path

import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st
from render_samples import MAKERS, finding, model, operation, predictions, report, run, running, version

from aip_magics.checks.outcome import Finding, Skipped
from aip_magics.checks.report import Report
from aip_magics.commands.package import PickledFromMain
from aip_magics.errors import CellError, ChecksFailed, PredictionError
from aip_magics.events import Event, Note, Progress, StepFinished, StepStarted
from aip_magics.render import html as render
from aip_magics.render import text as render_text
from aip_magics.render.blocks import Code, Link, Panel, Span, Table, line, row
from aip_magics.render.elements import Html, clip, el, size
from aip_magics.sdist import Package
from aip_magics.storage import PlannedRemoval, RemovalPlan

HOSTILE = "<script>alert(1)</script><img src=x onerror=y>\"'&\x00\x1b[31m</td>\u202e"
SIZES = {
    "plain": ("iris", 1),
    "hostile": (HOSTILE, 2),
    "Korean": ("붓꽃 분류기", 20),
    "long": ("x" * 5000, 3),
    "quotes": ("\"'&<" * 2000, 3),
    "many": ("<&>", 500),
}
LONG = ("long", "quotes")  # are shortened by trying
TAGS = set(re.findall(r"\w+", "div p b i a span code pre table caption thead tbody tr th td progress details summary"))
ATTRIBUTES = set(re.findall(r"[\w-]+", "style role aria-label aria-hidden scope colspan cellpadding value max href"))


class Page(html.parser.HTMLParser):
    """The elements and the text of a panel; complains about what is not balanced."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.pieces: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.pieces.append(data)

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")

    handle_decl = handle_pi = unknown_decl = handle_comment

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.pieces).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def check(panel: str) -> Page:
    """What holds for every panel."""
    assert len(panel.encode()) <= render.MAX_BYTES
    page = Page(panel)
    for tag, attributes in page.tags:
        assert tag in TAGS
        assert set(attributes) <= ATTRIBUTES
        assert "url(" not in (attributes.get("style") or "")
        assert (attributes.get("href") or "https://").startswith("https://")
    for colour in re.findall(r"(?<![\w-])(?:color|background|border[\w-]*):([^;\"]*)", panel):
        assert "var(--jp-" in colour or "collapse" in colour
    assert all("scope" in attributes for attributes in page.all("th"))
    assert all(attributes["aria-label"] for attributes in page.all("progress"))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", panel)
    return page


@pytest.mark.parametrize(
    ("text", "count"),
    [pytest.param(*size, id=id, marks=[pytest.mark.slow] if id in LONG else []) for id, size in SIZES.items()],
)
@pytest.mark.parametrize("kind", MAKERS)
def test_html_panels_are_well_formed_harmless_and_small(kind, text, count):
    if kind in ("failed run", "running", "detached"):
        count = min(count, 40)  # each step has as many notes again
    page = check(render.of(MAKERS[kind](text, count), now=1.8e9))
    assert page.text


@settings(deadline=None, max_examples=up_to(60))
@given(st.sampled_from(sorted(MAKERS)), st.text(max_size=80), st.integers(1, 5))
def test_html_holds_whatever_the_texts_are(kind, text, count):
    check(render.of(MAKERS[kind](text, count)))


@given(st.text())
def test_html_gives_text_back_but_for_control_characters(text):
    page = Page(el("p", text, aria_label=text))
    shown = "".join(page.pieces)
    assert "<" not in el("p", text).removeprefix("<p>").removesuffix("</p>")
    if text.isprintable():
        assert shown == text
        assert page.all("p")[0]["aria-label"] == text


@given(st.text(), st.integers(0, 40))
def test_html_clip_keeps_within_its_bytes_and_says_what_is_missing(text, most):
    cut = clip(text, most)
    if cut != text:
        kept, _, missing = cut.rpartition("… (+")
        assert text.startswith(kept)
        assert size(kept) <= most
        assert int(missing.split()[0].replace(",", "")) == len(text) - len(kept)
    else:
        assert size(text) <= most


def test_html_is_not_escaped_twice():
    assert el("b", Html("<i>x</i>"), " < ") == "<b><i>x</i> &lt; </b>"


def test_html_progress_has_a_bar_with_a_name_and_numbers():
    page = check(render.of(run([StepStarted("up", "Upload"), Progress("up", 34, 100, "files", "model.joblib")])))
    assert page.all("progress") == [{"value": "34", "max": "100", "aria-label": "Upload", "style": render.BAR}]
    assert "34 of 100 files model.joblib" in page.text
    assert page.all("tr")


def test_html_progress_of_an_unknown_total_shows_no_bar():
    page = check(render.of(run([Progress("up", 3, 0, "files")])))
    assert page.all("progress") == []
    assert "3 files" in page.text


def test_html_run_shows_states_times_summaries_and_notes():
    happened = [StepStarted("a", "Look"), Note("a", "old library", "warning"), StepFinished("a", "sklearn")]
    page = check(render.of(run(happened, "Deploy iris").finished(65)))
    assert "Deploy iris ✔ done 1 min 05 s" in page.text
    assert "Look ✔ done 2.0 s sklearn" in page.text
    assert "⚠ warning: old library" in page.text


def test_html_package_tells_where_it_lies_and_how_it_is_taken_along():
    made = Package(Path("dist/my code-0.1.tar.gz"), "my_code", "0.1", ("my_code", "steps"), ("lightgbm is absent",))
    text = check(render.of(made)).text
    for told in ("my_code 0.1", "dist/my code-0.1.tar.gz", "my_code, steps", "⚠\u00a0 lightgbm is absent"):
        assert " ".join(told.split()) in text
    assert "--package-uris 'dist/my code-0.1.tar.gz'" in text
    assert "--package-uris" in render_text.of(made)
    found = PickledFromMain(Path("export/model.joblib"), ("Scale",), True, "move Scale into a module")
    assert "Scale" in check(render.of(found)).text
    assert "move Scale into a module" in render_text.of(found)


OPERATION = "projects/my-company-prod/operations/create_churn_classifier_v1-1795438005632"


def deployment() -> list[Event]:
    """What a first deployment to the local target tells, in the numbers and lengths that are usual."""
    notes = [
        "target: local (default: the embedded server)",
        "project: my-company-prod (argument)",
        "regions: us-central1 (default of the global endpoint)",
        "framework: SCIKIT_LEARN (detected from model.joblib)",
        "runtimeVersion: none (scikit-learn 1.9.1 cannot be loaded by any runtime; the newest is 1.0.2 on 2.11)",
        "machineType: mls1-c1-m2 (default of the global endpoint)",
        "advice A02 library-too-new: served by this Python locally; in the cloud: scikit-learn 1.9.1 cannot be loaded "
        "by any runtime",
    ]
    steps = {
        "Inspect model files": "1 file, 991 B: model.joblib (scikit-learn 1.9.1)",
        "Run preflight checks": "passed with 1 finding",
        "Connect": "embedded server started at http://127.0.0.1:36247 (project my-company-prod)",
        "Predict the test instances locally": "2 predictions: [0, 2]",
        "Bucket": "gs://my-company-prod-aiplatform made (us-central1)",
        "Upload": "1 file uploaded (991 B) → gs://my-company-prod-aiplatform/churn_classifier/v1/",
        "Model resource": "created projects/my-company-prod/models/churn_classifier",
        "Version resource": f"churn_classifier/v1 is being created: {OPERATION}",
        "Wait for the operation": "done",
        "Describe": "v1: READY",
        "Predict the test instances online": "2 predictions: [0, 2], identical to the local predictions",
    }
    found: list[Event] = []
    for title, summary in steps.items():
        found += [StepStarted(title, title), StepFinished(title, summary)]
        found += [Note(title, note) for note in notes if title.startswith("Run preflight")]
    return found


def test_html_run_of_a_usual_deployment_shows_every_step_and_its_operation():
    happened = deployment()
    text = check(render.of(run(happened, "aip_deploy").finished(60))).text
    assert "earlier row" not in text
    for event in happened:
        if isinstance(event, StepStarted):
            assert event.title in text
    assert OPERATION in text


@pytest.mark.parametrize("count", [1, 100])
def test_html_name_of_an_operation_is_never_cut(count):
    name = "create_a_model_of_a_long_name_a_version_of_a_long_name_too-1795438005632"
    assert name in check(render.of([operation(name)] * count)).text
    told = f"{'x' * 60} is being created: projects/a-project/operations/{name} {'y' * 900}"
    text = check(render.of(run([StepFinished(f"step{n}", told) for n in range(count)]))).text
    assert f"projects/a-project/operations/{name}" in text
    assert count == 1 or "y" * 900 not in text


def test_html_run_that_is_long_keeps_the_last_steps():
    happened = [StepFinished(f"step{n}", "y" * 30) for n in range(100)]
    text = check(render.of(run(list(happened)))).text
    assert "step99" in text
    assert "step0 " not in text
    assert "earlier rows" in text


def test_html_run_that_is_detached_says_how_to_come_back():
    text = check(render.of(MAKERS["detached"]("create_iris", 1))).text
    assert "The operation continues in the background" in text
    assert "projects/p/operations/create_iris" in text
    assert "To wait for the operation again: create_iris" in text


def test_html_describe_has_all_set_fields_and_the_yaml():
    page = check(render.of(version("v1")))
    assert "Version v1 ✖ FAILED default version" in page.text
    assert "labels.v10 v1" in page.text
    assert "runtimeVersion 2.11" in page.text
    assert "runtimeVersion: '2.11'" in page.text
    assert len(page.all("details")) == 1


def test_html_describe_of_a_model_and_an_operation():
    assert "Model iris default version iris" in check(render.of(model("iris"))).text
    text = check(render.of(operation("op1"))).text
    assert "Operation op1 ✖ failed" in text
    assert "error.code 9" in text


@pytest.mark.parametrize(
    ("of", "wanted"),
    [
        (version, "v1 ✔ default ✖ FAILED SCIKIT_LEARN 2.11 3.7 n1-standard-2 gs://p/v1/ 2 hours"),
        (model, "v1 v1 ✖ FAILED SCIKIT_LEARN n1-standard-2 2 hours"),
        (operation, "v1 CREATE_VERSION ✖ failed v1 v1 v1"),
    ],
)
def test_html_lists_have_a_row_each_with_ages(of, wanted):
    now = 1709618828 + 7300  # 2024-03-05T06:07:08Z, and two hours
    page = check(render.of([of("v1"), of("v2")], now=now))
    assert wanted in page.text
    assert len(page.all("tr")) == 3


def test_html_lists_without_now_show_the_time_of_creation():
    assert "2024-03-05T06:07:08Z" in check(render.of([version("v1")])).text


def test_html_predictions_stand_beside_their_instances_and_in_columns():
    page = check(render.of({"predictions": [{"class": 1, "scores": [0.1, 0.9]}], "instances": [[5.1, 3.5]]}))
    assert "# instance class scores 0 [5.1, 3.5] 1 [0.1, 0.9] probabilities" in page.text


def test_html_predictions_leave_out_instances_that_do_not_match():
    assert "instance" not in check(render.of({"predictions": [1, 2], "instances": [[5.1]]})).text


def test_html_predictions_that_are_many_are_counted():
    page = check(render.of({"predictions": list(range(10_000))}))
    assert "10,000 predictions" in page.text
    shown = len(page.all("tr")) - 2
    assert f"{10_000 - shown:,} more rows" in page.text


def test_html_columns_that_are_many_are_counted():
    text = check(render.of({"predictions": [{f"k{n}": n for n in range(500)}] * 20})).text
    assert re.search(r"\d+ more columns", text)


def test_html_findings_are_grouped_worst_first_with_the_fix_as_code():
    panel = render.of(report("x"))
    text = check(panel).text
    assert text.index("1 error") < text.index("1 warning") < text.index("1 advice")
    assert "fix: x" in text
    assert panel.count("<code>x</code>") == 3
    assert 'href="https://example.test/x"' in panel
    assert "version.x: x S21" in text
    assert "1 check skipped x: x0" in text
    assert "✔ 2 checks passed" in text


def test_html_checks_skipped_for_the_same_reason_share_a_line():
    panel = check(render.of(skipping("no files", "F1", "F2", "F3")))
    assert "3 checks skipped no files: F1, F2, F3" in panel.text
    assert len(panel.all("details")) == 1


def test_html_state_and_its_time_stay_on_one_line():
    panel = render.of(run([StepStarted("look", "Look"), StepFinished("look", "one long text of many words")]))
    assert "done\u00a01.0\u00a0s</td>" in panel
    assert "one long text of many words</td>" in panel


def test_html_fix_of_several_lines_keeps_them():
    fix = "autoScaling:\n  minNodes: 1"
    panel = render.of([Finding("S22", "error", "version", "x", fix, "")])
    assert f"<pre style={render.CODE}>{fix}</pre>" in panel
    assert "  autoScaling:\n    minNodes: 1" in render_text.of([Finding("S22", "error", "version", "x", fix, "")])


def skipping(reason: str, *rules: str) -> Report:
    return Report((), {rule: Skipped(reason) for rule in rules}, ())


def test_html_findings_of_ten_rules_are_all_there():
    what = "runtime 2.11 has scikit-learn 1.0.2; the model was saved by 1.9.0"
    fix = "leave runtimeVersion out, or save the model with scikit-learn 1.0.2"
    link = "https://cloud.google.com/ai-platform/prediction/docs/runtime-version-list"
    found = [Finding(f"S{n}", "error", "version.runtimeVersion", what, fix, link) for n in range(10)]
    text = check(render.of(found)).text
    assert text.count(what) == text.count(fix) == len(found)


def test_html_finding_alone_and_checks_that_failed():
    assert "1 error" in check(render.of(finding("bad"))).text
    error = ChecksFailed("1 check failed\n  S21 …", findings=[finding("bad")])
    assert "ChecksFailed: 1 check failed" in check(render.of(error)).text
    assert "version.bad" in check(render.of(error)).text


@pytest.mark.parametrize("address", ["javascript:alert(1)", "http://x.test", "https://x.test/" + "y" * 9000, ""])
def test_html_links_are_short_https_addresses_only(address):
    panel = render.draw(Panel("x", "idle", (line(Link("S1", address)),)))
    assert check(panel).all("a") == []
    assert "S1" in panel


def test_html_plan_tells_choices_steps_and_requests():
    text = check(render.of(MAKERS["plan"]("iris", 2))).text
    assert "nothing was sent" in text
    assert "field1 iris iris" in text
    assert "1 iris 2 iris" in text
    assert 'POST http://h/iris {"name": "iris", "n": 0}' in text


def test_html_error_tells_what_where_and_how_to_fix_it():
    text = check(render.of(CellError("no field 'x'\nsecond line", where="version.x", fix="did you mean 'y'?"))).text
    assert text == "✖ CellError: no field 'x' second line where: version.x fix: did you mean 'y'?"


def test_html_log_of_a_model_is_the_end_of_it():
    error = PredictionError("FAILED_TO_LOAD_MODEL", "x", log="\n".join(f"line {n}" for n in range(100)))
    text = check(render.of(error)).text
    assert "last 40 of 100 lines" in text
    assert "line 59" not in text
    assert "line 99" in text


def test_html_values_without_a_panel_are_shown_as_json():
    assert '{"a": [1, "<b>"]}' in check(render.of({"a": [1, "<b>"]})).text


@pytest.mark.slow
def test_html_says_what_does_not_fit():
    wide = Table("c" * 900, tuple("h" * 900 for _ in range(50)), (row(*["v" * 900] * 50),) * 50)
    code = Code("line\n" * 500)
    for parts in ([wide, code] * 3, [code] * 30):  # each part is cut as far as it can be, which takes its time
        text = check(render.draw(Panel("all", "good", tuple(parts)))).text
        assert "too large" in text or "more part" in text


def test_html_realistic_panel_is_whole():
    for value in (version("iris"), model("iris"), running("iris"), predictions("iris")):
        assert "more row" not in render.of(value)
        assert "(+" not in render.of(value)


def test_html_command_stays_whole_however_little_else_is_drawn():
    command = "%aip_attach projects/my-project/operations/create_my_model_v1-1795434102837"
    table = Table("", ("Step", "What"), tuple(row("step", "x" * 300) for _ in range(30)))
    drawn = render.draw(Panel("run", "away", (table, line("To wait for the operation again:", Span(command, "code")))))
    assert "characters)" in drawn
    assert f"<code>{command}</code>" in drawn


def test_html_table_breaks_only_long_words_anywhere():
    drawn = render.draw(Panel("run", "good", (Table("", ("Step", "What"), (row("Upload", "gs://" + "x" * 40),)),)))
    cells = [attributes["style"] for tag, attributes in Page(drawn).tags if tag in ("th", "td")]
    assert ["anywhere" in style for style in cells] == [False, False, False, True]


def test_html_of_a_removal_plan_has_its_objects_however_many_versions_use_them():
    versions = tuple(f"iris/v{number}" for number in range(3000))
    plan = RemovalPlan(("gs://b/",), (PlannedRemoval("b", "iris/model.joblib", 1, 1),), (), versions)
    shown = render.of(plan)
    assert "gs://b/iris/model.joblib" in shown
    assert "iris/v4 and 2995 more" in shown
