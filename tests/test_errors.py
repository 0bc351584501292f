from __future__ import annotations

import inspect
import re

import pytest

from aip_magics import errors
from aip_magics.errors import (
    AipError,
    ApiError,
    ChecksFailed,
    NotFound,
    OperationFailed,
    PredictionError,
    TrustError,
    WorkerError,
)

CLASSES = {
    name: found
    for name, found in vars(errors).items()
    if inspect.isclass(found) and issubclass(found, Exception) and found.__module__ == errors.__name__
}


def drawn() -> dict[str, str]:
    """Class → its base, as the docstring of the module draws them."""
    tree: dict[str, str] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").partition("::\n")[2].splitlines():
        found = re.match(r"    ([│├└─ ]*)([A-Z]\w+(?:, [A-Z]\w+)*)(?:  |$)", line)
        if found:
            depth, names = len(found[1]) // 4, found[2].split(", ")
            above[depth:] = [names[-1]]
            tree.update({name: above[depth - 1] if depth else "Exception" for name in names})
    return tree


def make(kind: type[AipError], **said: str) -> AipError:
    if issubclass(kind, (TrustError, WorkerError)):
        return kind("it died", **said)
    if issubclass(kind, PredictionError):
        return kind("INVALID_INPUTS", "no such column", **said)
    return (
        kind("it is wrong", operation=None, **said)
        if issubclass(kind, OperationFailed)
        else kind("it is wrong", **said)
    )


def test_errors_tree_in_the_docstring_is_that_of_the_classes():
    assert drawn() == {name: found.__base__.__name__ for name, found in CLASSES.items()}


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_errors_say_what_where_and_how_to_fix_it(kind):
    error = make(kind, where="version.framework", fix="framework: XGBOOST")
    what, where, fix = error.format_lines()
    assert what.startswith(f"{kind.__name__}: ")
    assert error.message in what
    assert where == "  where: version.framework"
    assert fix == "  fix:   framework: XGBOOST"
    assert error._render_traceback_() == error.format_lines()
    assert str(error).splitlines()[1:] == [where, fix]
    written = error.to_json()
    assert (written["type"], written["where"], written["fix"]) == (kind.__name__, error.where, error.fix)
    assert kind.__doc__


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_errors_leave_out_lines_that_are_not_known(kind):
    error = make(kind)
    assert len(error.format_lines()) == 1
    assert str(error) == error.message


def test_errors_show_the_whole_traceback_in_debug():
    def fails() -> None:
        raise NotFound("gone")

    with pytest.raises(NotFound) as caught:
        fails()
    assert "in fails" not in "\n".join(caught.value._render_traceback_())
    caught.value.debug = True
    assert "in fails" in "\n".join(caught.value._render_traceback_())
    assert AipError.debug is False


def test_errors_of_the_api_tell_their_code():
    error = NotFound("no model", code=404, status="NOT_FOUND", details=[{"a": 1}], fix="make it")
    assert error.format_lines() == ["NotFound: no model (404 NOT_FOUND)", "  fix:   make it"]
    assert error.to_json()["details"] == [{"a": 1}]
    assert ApiError("x", code=500).format_lines() == ["ApiError: x (500)"]


@pytest.mark.parametrize(("kind", "code"), [(kind, code) for kind, (code, _) in PredictionError.HEADS.items()])
def test_errors_of_predictions_are_numbered_as_on_the_service(kind, code):
    error = PredictionError(kind, "because", log="Traceback …")
    assert (error.code, error.kind, error.detail, error.log) == (code, kind, "because", "Traceback …")
    assert error.message.endswith(f": because (Error code: {code})")


def test_errors_of_predictions_of_a_new_kind_are_still_such():
    assert PredictionError("OUT_OF_MEMORY", "x").message == "OUT_OF_MEMORY: x (Error code: -1)"


def test_errors_carry_what_they_are_about():
    assert ChecksFailed("x", findings=["a", "b"]).findings == ("a", "b")
    assert OperationFailed("x", operation="op").operation == "op"
