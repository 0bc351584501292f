"""Rules about the test instances, compared with the inputs in the model file."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from aip_magics.artifacts.facts import BoosterFacts, SavedModelFacts, Signature, Tensor
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.model_facts import get_booster, get_saved_model
from aip_magics.checks.number_ranges import RANGES
from aip_magics.checks.outcome import Finding, Outcomes, Skipped
from aip_magics.checks.rule import error, rule, warning
from aip_magics.checks.rules.inputs import get_composite_kind
from aip_magics.checks.rules.requests import ROWS, no_test
from aip_magics.i18n import gettext as _
from aip_magics.i18n import ngettext
from aip_magics.value_kind import value_kind

_FIELD = "test.instances"
_MAX_DIGITS = 40  # of a number in a message
_MAX_NUMBERS = 8  # of an example
_MAX_KEYS = 10  # that are reported, each with its own finding
_NOT_PASSED_ON = frozenset({"instances", "signature_name"})
# Arguments of Booster.predict besides the data, and of some scikit-learn estimators besides X.
_XGBOOST_OPTIONS = frozenset(
    """approx_contribs iteration_range ntree_limit output_margin pred_contribs pred_interactions pred_leaf
    strict_shape training validate_features""".split()  # noqa: SIM905
)
_SKLEARN_OPTIONS = frozenset({"return_cov", "return_std"})


@rule("R04", "unexpected-request-key", link=links.OTHER_KEYS)
def unexpected_request_key(context: CheckContext) -> Outcomes:
    """Request keys besides `instances` and `signature_name` are passed to `predict`, which must accept them."""
    if context.instances is None:
        return no_test()
    if context.is_custom or context.framework not in ("SCIKIT_LEARN", "XGBOOST"):
        return []
    accepted = _XGBOOST_OPTIONS if context.framework == "XGBOOST" else _SKLEARN_OPTIONS
    known = _NOT_PASSED_ON | accepted
    others = itertools.islice((key for key in context.test_keys if key not in known), _MAX_KEYS)
    # A pipeline or a custom estimator may accept any argument.
    level = error if context.framework == "XGBOOST" else warning
    return [
        level(
            f"test.{key}",
            _("the request key {key} is passed to predict, which does not accept that argument", key=key),
            _("omit {field}", field=key),
        )
        for key in others
    ]


@rule("R03", "invalid-booster-instance", link=links.API_PREDICT)
def invalid_booster_instance(context: CheckContext) -> Outcomes:
    """The instances for a booster must be lists of numbers, one for each of its features."""
    if context.instances is None:
        return no_test()
    if context.framework != "XGBOOST" or context.is_custom:
        return []
    facts = get_booster(context.model_dir) if context.model_dir else None
    facts = None if isinstance(facts, Skipped) else facts
    return list(_first(_row(index, row, facts, context.instances[0]) for index, row in enumerate(context.instances)))


@rule("R09", "unknown-signature", link=links.API_PREDICT)
def unknown_signature(context: CheckContext) -> Outcomes:
    """signature_name must be a signature of the SavedModel; it is required if none of several is the default."""
    facts = _saved_model(context)
    if isinstance(facts, Skipped) or not facts.signatures:
        return facts if isinstance(facts, Skipped) else []
    name = context.test_keys.get("signature_name")
    if name is not None and not isinstance(name, str):
        return [error("test.signature_name", _("signature_name is not a string"), "signature_name: serving_default")]
    if facts.signature(name) is not None:
        return []
    names = ", ".join(one.name for one in facts.signatures)
    fix = f"signature_name: {facts.signatures[0].name}"
    if name is None:
        text = _("the SavedModel has several signatures ({names}) and none is serving_default", names=names)
    else:
        text = _("the SavedModel has no signature {name}; it has {names}", name=name, names=names)
    return [error("test.signature_name", text, fix)]


@rule("R08", "wrong-input-names", link=links.API_PREDICT)
def wrong_input_names(context: CheckContext) -> Outcomes:
    """The keys of the instances must be the inputs of the signature; for a single input, the value alone is enough."""
    signature = _signature(context)
    if isinstance(signature, Skipped):
        return signature
    assert context.instances is not None
    names = [tensor.name for tensor in signature.inputs]
    if len(names) == 1:
        return list(_first(_one_input(index, one, names[0]) for index, one in enumerate(context.instances)))
    found = list(_first(_several_inputs(index, one, names) for index, one in enumerate(context.instances)))
    return found or list(_missing(context.instances, names))


@rule("R10", "wrong-input-values", link=links.WRONG_DTYPE)
def wrong_input_values(context: CheckContext) -> Outcomes:
    """The values of the instances must have the type and the shape of the signature's inputs."""
    signature = _signature(context)
    if isinstance(signature, Skipped):
        return signature
    assert context.instances is not None
    return list(_first(_values(index, one, signature) for index, one in enumerate(context.instances)))


def _row(index: int, row: Any, facts: BoosterFacts | None, first: Any) -> Finding | None:
    if not isinstance(row, list):
        text = _("instance {index}: expected a list of numbers, got {kind}", index=index, kind=value_kind(row))
        return error(_FIELD, text, _example(facts))
    # XGBoost reads null as a missing value, false and true as 0 and 1.
    invalid = next((value for value in row if value is not None and not isinstance(value, (int, float))), None)
    if invalid is not None:
        text = _(
            "instance {index} contains {kind}; XGBoost accepts only numbers", index=index, kind=value_kind(invalid)
        )
        return error(_FIELD, text, _example(facts))
    expected = facts.features if facts and facts.features else len(first)
    if len(row) == expected:
        return None
    text = ngettext(
        "instance {index} has {number} value; the model has {wanted} features",
        "instance {index} has {number} values; the model has {wanted} features",
        len(row),
        index=index,
        wanted=expected,
    )
    return error(_FIELD, text, _("provide the {wanted} columns in the order used for training", wanted=expected))


def _example(facts: BoosterFacts | None) -> str:
    """Return an example of instances with as many numbers as the booster has features."""
    if facts is None or not facts.features:
        return ROWS
    if facts.features > _MAX_NUMBERS:
        return _("write each instance as a list of {count} numbers", count=facts.features)
    return f"instances: [[{', '.join(f'{number}.5' for number in range(facts.features))}]]"


def _one_input(index: int, instance: Any, name: str) -> Finding | None:
    if not isinstance(instance, dict) or set(instance) in ({name}, {"b64"}):
        return None
    text = _(
        "instance {index}: expected the key {name}, got {keys}",
        index=index,
        keys=", ".join(map(str, instance)),
        name=name,
    )
    return error(_FIELD, text, f'{{"{name}": …}}')


def _several_inputs(index: int, instance: Any, names: list[str]) -> Finding | None:
    fix = _("use the input names {names}", names=", ".join(names))
    if not isinstance(instance, dict):
        text = _(
            "instance {index}: expected an object keyed by input name, got {kind}",
            index=index,
            kind=value_kind(instance),
        )
        return error(_FIELD, text, fix)
    unknown = [key for key in instance if key not in names]
    if not unknown:
        return None
    return error(_FIELD, _("instance {index}: unknown input {key}", index=index, key=unknown[0]), fix)


def _missing(instances: list[Any], names: list[str]) -> Iterator[Finding]:
    for name in names:
        indexes = [index for index, instance in enumerate(instances) if name not in instance]
        if not indexes:
            continue
        text = _("instance {index}: missing input {name}", index=indexes[0], name=name)
        # An input with a default value may be omitted, but only in every instance.
        level = warning if len(indexes) == len(instances) else error
        yield level(_FIELD, text, _("add {name} to every instance", name=name))


def _values(index: int, instance: Any, signature: Signature) -> Finding | None:
    for tensor in signature.inputs:
        value = instance
        if isinstance(instance, dict) and set(instance) != {"b64"}:
            if tensor.name not in instance:
                continue  # R08 reports it
            value = instance[tensor.name]
        elif len(signature.inputs) > 1:
            return None
        if found := _mismatch(index, value, tensor):
            return found
    return None


def _mismatch(index: int, value: Any, tensor: Tensor) -> Finding | None:
    wrong = next((one for one in _leaves(value) if not _has_dtype(one, tensor.dtype)), None)
    if wrong is not None:
        text = _(
            "instance {index}: expected {dtype} for input {name}, got {kind}",
            index=index,
            kind=value_kind(wrong),
            name=tensor.name,
            dtype=tensor.dtype,
        )
        return error(_FIELD, text, _("use values of type {dtype}", dtype=tensor.dtype))
    if found := _out_of_range(index, value, tensor):
        return found
    shape = _shape(value)
    if tensor.shape is None or shape is None or _matches(shape, tensor.shape[1:]):
        return None
    text = _(
        "instance {index}: input {name} has shape {shape}, expected {wanted}",
        index=index,
        shape=_format_shape(shape),
        name=tensor.name,
        wanted=_format_shape(tensor.shape[1:]),
    )
    return error(
        _FIELD, text, _("provide one value of shape {wanted} per instance", wanted=_format_shape(tensor.shape[1:]))
    )


def _out_of_range(index: int, value: Any, tensor: Tensor) -> Finding | None:
    held = RANGES.get(tensor.dtype)
    wrong = next((one for one in _leaves(value) if held and held.fault(one)), None)
    if wrong is None or held is None:
        return None
    text = _(
        "instance {index}: {value} is out of the range of {dtype} for input {name}",
        index=index,
        value=wrong if len(str(wrong)) <= _MAX_DIGITS else f"{str(wrong)[:_MAX_DIGITS]}…",
        dtype=tensor.dtype,
        name=tensor.name,
    )
    fix = _("use numbers between {smallest} and {largest}", smallest=held.smallest, largest=held.largest)
    return error(_FIELD, text, fix)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _has_dtype(value: Any, dtype: str) -> bool:
    if isinstance(value, dict):
        return dtype == "string" and set(value) == {"b64"}
    if dtype == "string":
        return isinstance(value, str)
    if dtype == "bool":
        return isinstance(value, bool)
    if dtype not in RANGES:
        return True
    return _is_number(value) and RANGES[dtype].fault(value) != "fraction"


def _shape(value: Any) -> tuple[int, ...] | None:
    """Return the lengths of nested lists; None if lists of one level differ, which only the model can judge."""
    if not isinstance(value, list):
        return ()
    inner = {_shape(item) for item in value}
    if len(inner) > 1 or None in inner:
        return None
    return (len(value), *(inner.pop() or ())) if inner else (0,)


def _matches(shape: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    pairs = zip(shape, expected, strict=False)
    return len(shape) == len(expected) and all(size is None or actual == size for actual, size in pairs)


def _format_shape(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("…" if size is None else str(size) for size in shape) + ")"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _first(found: Iterator[Finding | None]) -> Iterator[Finding]:
    """Yield only the first finding: if one instance is wrong, usually all are."""
    yield from ([one] if (one := next((finding for finding in found if finding), None)) else [])


def _saved_model(context: CheckContext) -> SavedModelFacts | Skipped:
    if context.instances is None:
        return no_test()
    if context.model_dir is None:
        return context.no_files
    facts = get_saved_model(context.model_dir)
    return facts if isinstance(facts, Skipped) or facts.complete else Skipped(facts.unread)


def _signature(context: CheckContext) -> Signature | Skipped:
    facts = _saved_model(context)
    if isinstance(facts, Skipped):
        return facts
    name = context.test_keys.get("signature_name")
    found = facts.signature(name if isinstance(name, str) else None)
    if found is None:
        return Skipped(_("the signature was not found"))  # R09 reports it
    if get_composite_kind(context, found):
        return Skipped(_("the signature takes a value of several tensors"))  # R23 reports it
    return found
