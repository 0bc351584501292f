"""Parse instances from gcloud's three input formats or from Python values into the body of a predict request."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from aip_magics.artifacts.facts import ModelInputs
from aip_magics.errors import InstancesError
from aip_magics.i18n import gettext as _
from aip_magics.prediction import frames
from aip_magics.prediction.json_values import encoding_fix, is_time_array, to_builtin
from aip_magics.value_kind import value_kind

_EXAMPLE = '{"instances": [[5.1, 3.5, 1.4, 0.2]]}'


def parse_json_instances(data: str | bytes, where: str = "--json-instances") -> list[Any]:
    """Parse newline-delimited JSON: one instance per line.

    Raises:
        InstancesError: a line is not JSON or is empty (as with gcloud); the error names the line's number.
    """
    fix = _("write one JSON value per line")
    return [_loads(line, functools.partial(_line_label, where, number), fix) for number, line in _lines(data, where)]


def parse_text_instances(data: str | bytes, where: str = "--text-instances") -> list[str]:
    """Parse one instance per line as a string, even if it looks like a number.

    Raises:
        InstancesError: a line is empty or is not UTF-8.
    """
    return [line for _number, line in _lines(data, where)]


def parse_json_request(data: str | bytes, where: str = "--json-request") -> dict[str, Any]:
    """Parse a JSON object with a list `instances`. Unlike gcloud, this keeps the object's other keys.

    Raises:
        InstancesError: the text is not JSON, not an object, or has no list of at least one instance.
    """
    request = _loads(
        _text(data, where), lambda: where, _("send a JSON object: {example}", example=_EXAMPLE), whole=True
    )
    if not isinstance(request, dict):
        raise InstancesError(
            _("expected a JSON object, got {kind}", kind=value_kind(request)),
            where=where,
            fix=_("send a JSON object: {example}", example=_EXAMPLE),
        )
    if "instances" not in request:
        raise InstancesError(
            _('"instances" is required'), where=where, fix=_("send a JSON object: {example}", example=_EXAMPLE)
        )
    instances = request["instances"]
    if not isinstance(instances, list):
        raise InstancesError(
            _('"instances" must be a list, got {kind}', kind=value_kind(instances)),
            where=where,
            fix=_("send a JSON object: {example}", example=_EXAMPLE),
        )
    if not instances:
        raise InstancesError(_('"instances" is empty'), where=where, fix=_("send at least one instance"))
    return request


def from_value(value: object, inputs: ModelInputs | None = None, signature_name: object = None) -> list[Any]:
    """Convert a list, tuple, NumPy array (rows), Series or DataFrame (rows as lists) to a list of instances.

    NumPy and pandas objects are recognized by their attributes, so that neither library is imported.

    Args:
        value: The instances.
        inputs: The names of the model's inputs, to arrange the columns of a DataFrame by name. None leaves the order.
        signature_name: The signature of a SavedModel, as in the request.

    Raises:
        InstancesError: The value has another type or is empty, or its columns are not those of the model.
    """
    source, names = value, frames.column_names(value)
    if is_time_array(value):
        reason = _("{kind} is not a JSON type", kind=value.dtype.name)  # type: ignore[attr-defined]
        text = _("could not encode {label} as JSON: {reason}", label="instances", reason=reason)
        raise InstancesError(text, where="instances", fix=encoding_fix(value, source))
    if frames.is_frame(value):
        value = frames.to_rows(value)  # scikit-learn on the service receives rows as lists, too
    if hasattr(value, "tolist"):
        value = value.tolist()
    if names and inputs is not None and isinstance(value, list):
        value = frames.arrange(value, names, inputs, signature_name)
    if isinstance(value, tuple):
        value = list(value)
    if isinstance(value, list):
        if not value:
            raise InstancesError(_("no instances found"), where="instances", fix=_("send at least one instance"))
        return value
    fix = _("pass a list with one item per instance")
    if isinstance(value, Mapping) and "instances" in value:
        fix = _('pass the value of the key "instances"')
    elif hasattr(value, "toarray"):
        fix = _("convert the sparse matrix to a dense array: pass .toarray()")
    elif hasattr(value, "to_pandas"):  # a frame of polars, a table of Arrow
        fix = _("convert to a DataFrame of pandas: pass .to_pandas()")
    raise InstancesError(
        _("expected a list, an array or a DataFrame of instances, got {kind}", kind=value_kind(value)), fix=fix
    )


def request_body(
    instances: object,
    signature_name: str | None = None,
    extra: Mapping[str, Any] | None = None,
    *,
    inputs: ModelInputs | None = None,
) -> bytes:
    """Encode the body of a predict request for these instances.

    Args:
        instances: any value that `from_value` accepts.
        signature_name: the signature to predict with; None leaves the choice to the service.
        extra: further keys of the request.
        inputs: the names of the model's inputs, see `from_value`.

    Raises:
        InstancesError: JSON cannot represent an instance (NaN, Infinity, a date, bytes); the error names the instance.
    """
    if extra and "instances" in extra:
        raise InstancesError(
            _('"instances" was given twice'), where="extra", fix=_('remove "instances" from the extra keys')
        )
    request = {"instances": from_value(instances, inputs, signature_name), **(extra or {})}
    if signature_name is not None:
        request["signature_name"] = signature_name
    return encode(request, instances)


def encode(request: Mapping[str, Any], source: object = None) -> bytes:
    """Encode a predict request as strict JSON.

    Args:
        request: the request.
        source: what the user passed as instances; an error's fix is in its terms.

    Raises:
        InstancesError: JSON cannot represent an instance or key; the error names the instance or key.
    """
    try:
        return _dumps(request)
    except (ValueError, TypeError, RecursionError) as error:
        for label, value in _labeled_values(request):
            try:
                _dumps(value)
            except (ValueError, TypeError, RecursionError) as value_error:
                reason = _encoding_reason(value_error)
                raise InstancesError(
                    _("could not encode {label} as JSON: {reason}", label=label, reason=reason),
                    where=label,
                    fix=encoding_fix(value, source),
                ) from None
        reason = _encoding_reason(error)
        raise InstancesError(_("could not encode the request as JSON: {reason}", reason=reason)) from None


def _labeled_values(request: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in request.items():
        if key == "instances" and isinstance(value, list):
            yield from ((f"instances[{index}]", instance) for index, instance in enumerate(value))
        else:
            yield str(key), value


def _dumps(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False, default=to_builtin).encode("ascii")  # NumPy scalars and arrays in a list


def _encoding_reason(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return _("nested too deeply")
    text = str(error) or type(error).__name__
    return _("JSON does not support NaN and Infinity") if text.startswith("Out of range float") else text


def _lines(data: str | bytes, where: str) -> Iterator[tuple[int, str]]:
    """Yield numbered lines, from 1, without line ends and byte order marks (concatenated files have several)."""
    # Not splitlines(), which also splits at U+2028; JSON allows that character in a string.
    lines = _text(data, where).split("\n")
    if not lines[-1]:
        lines.pop()
    if not lines:
        raise InstancesError(_("no instances found"), where=where, fix=_("write one instance per line"))
    for number, line in enumerate(lines, 1):
        line = line.removesuffix("\r").removeprefix("\ufeff")
        if not line:
            raise InstancesError(
                _("the line is empty"),
                where=_line_label(where, number),
                fix=_("remove the line"),
            )
        yield number, line


def _text(data: str | bytes, where: str) -> str:
    if isinstance(data, str):
        return data.removeprefix("\ufeff")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InstancesError(
            _("byte 0x{data:02x} is not valid UTF-8", data=data[error.start]),
            where=_line_label(where, line),
            fix=_("save the file as UTF-8"),
        ) from None


def _loads(text: str, where: Callable[[], str], fix: str, *, whole: bool = False) -> Any:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        line = error.lineno if whole else None
        raise InstancesError(_invalid_json(error.msg, line, error.colno), where=where(), fix=fix) from None
    except (ValueError, RecursionError) as error:
        reason = _("nested too deeply") if isinstance(error, RecursionError) else str(error)
        raise InstancesError(_("invalid JSON: {reason}", reason=reason), where=where(), fix=fix) from None


def _invalid_json(reason: str, line: int | None, column: int) -> str:
    if line is None:
        return _("invalid JSON: {reason} at column {column}", reason=reason, column=column)
    return _("invalid JSON: {reason} at line {line}, column {column}", reason=reason, line=line, column=column)


def _line_label(where: str, number: int) -> str:
    return _("{where}, line {number}", where=where, number=number)


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(_("JSON does not support {name}", name=name))


def unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build a JSON object, as the `object_pairs_hook` of a decoder. ValueError if a key occurs twice."""
    members = dict(pairs)
    if len(members) < len(pairs):
        keys = [key for key, _value in pairs]
        raise ValueError(_("key {key!r} occurs twice", key=next(key for key in members if keys.count(key) > 1)))
    return members


_DECODER = json.JSONDecoder(
    object_pairs_hook=unique_members, parse_constant=_reject_constant
)  # shared: a file may have a million lines
