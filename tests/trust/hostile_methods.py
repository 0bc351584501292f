"""Pickles that misuse what was listed for distributions, methods of instances, texts of a state and callbacks."""

from __future__ import annotations

from hostile_pickles import PROTO, Builder, name, text

NORM = name("scipy.stats._continuous_distns", "norm_gen")
RANDINT = name("scipy.stats._discrete_distns", "randint_gen")
GETATTR = name("builtins", "getattr")
REGRESSION = name("sklearn.linear_model._logistic", "LogisticRegression")


def attribute(owner: bytes, word: str) -> bytes:
    return GETATTR + owner + text(word) + b"\x86R"


def code(mark: str) -> str:
    return f"import os; os.system('touch {mark}')"


def distribution_arguments(mark: str) -> bytes:
    """The state of an older SciPy, which a newer one takes for pairs: the second names the code to execute."""
    state = (
        b"}(" + text("name") + b"N" + text("shapes") + b"Nu" + text("_parse_arg_template") + text(code(mark)) + b"\x86"
    )
    return PROTO + NORM + b")\x81" + state + b"\x86b."


def distribution_shapes(mark: str) -> bytes:
    """The state of an older SciPy, whose shapes become the arguments of a function in executed code."""
    state = b"}" + text("shapes") + text(f"a=__import__('os').system('touch {mark}')") + b"sN"
    return PROTO + NORM + b")\x81" + state + b"\x86b."


def distribution_of_a_histogram(mark: str) -> bytes:
    state = b"}" + text("_parse_arg_template") + text(code(mark)) + b"s"
    return PROTO + name("scipy.stats._continuous_distns", "rv_histogram") + b")\x81" + state + b"b."


def distribution_of_values(mark: str) -> bytes:
    state = b"}" + text("_parse_arg_template") + text(code(mark)) + b"s"
    return PROTO + name("scipy.stats._distn_infrastructure", "rv_sample") + b")\x81" + state + b"b."


def method_not_listed(mark: str) -> bytes:
    return PROTO + attribute(name("xgboost.core", "Booster") + b")\x81", "save_model") + b"."


def method_of_the_class(mark: str) -> bytes:
    return PROTO + attribute(RANDINT, "_entropy") + b"0" + attribute(RANDINT, "__init__") + b"."


def method_of_a_text(mark: str) -> bytes:
    return PROTO + attribute(text("{0.__class__}"), "format") + b"."


def method_of_a_path(mark: str) -> bytes:
    path = name("pathlib", "PosixPath") + text(mark) + b"\x85R"
    return PROTO + attribute(path, "touch") + b")R."


def method_special(mark: str) -> bytes:
    return PROTO + attribute(RANDINT + b")\x81", "__class__") + b"."


def method_of_a_method(mark: str) -> bytes:
    return PROTO + attribute(attribute(RANDINT + b")\x81", "_entropy"), "__func__") + b"."


def method_called(mark: str) -> bytes:
    return PROTO + attribute(RANDINT + b")\x81", "_entropy") + b"K\x01K\x02\x86R."


def method_of_the_state(mark: str) -> bytes:
    """An attribute of the instance, which is no method of its class."""
    made = REGRESSION + b")\x81}" + text("predict_now") + name("numpy", "log1p") + b"sb"
    return PROTO + attribute(made, "predict_now") + b"."


def documented_by_a_function(mark: str) -> bytes:
    return PROTO + REGRESSION + b")\x81}" + text("__doc__") + name("numpy", "log1p") + b"sb."


def state_of_another_class(mark: str) -> bytes:
    return PROTO + REGRESSION + b")\x81}" + text("__class__") + text("x") + b"sb."


def printed_while_loading(mark: str) -> bytes:
    return PROTO + name("xgboost.collective", "communicator_print") + text(mark) + b"\x85R."


def checkpoints(mark: str) -> bytes:
    state = b"}" + text("_path") + text(mark) + b"s"
    return PROTO + name("xgboost.callback", "TrainingCheckPoint") + b")\x81" + state + b"b."


def zone_outside(mark: str) -> bytes:
    unpickled = attribute(name("zoneinfo", "ZoneInfo"), "_unpickle")
    return PROTO + unpickled + text("../../../../../etc/passwd") + b"\x88\x86R."


MISUSES: tuple[Builder, ...] = (
    distribution_arguments, distribution_shapes, distribution_of_a_histogram, distribution_of_values,
    method_not_listed, method_of_the_class, method_of_a_text, method_of_a_path, method_special, method_of_a_method,
    method_called, method_of_the_state, documented_by_a_function, state_of_another_class, printed_while_loading,
    checkpoints, zone_outside,
)  # fmt: skip
