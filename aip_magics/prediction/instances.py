"""Instances in: from gcloud's three kinds of text and from Python values to the body of a predict request."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from aip_magics.errors import InstancesError
from aip_magics.i18n import gettext as _

_EXAMPLE = '{"instances": [[5.1, 3.5, 1.4, 0.2]]}'


def parse_json_instances(data: str | bytes, where: str = "--json-instances") -> list[Any]:
    """One JSON value per line. InstancesError with the line's number; an empty line is an error, as with gcloud."""
    fix = _("each line is one JSON value")
    return [_loads(line, functools.partial(_line, where, number), fix) for number, line in _lines(data, where)]


def parse_text_instances(data: str | bytes, where: str = "--text-instances") -> list[str]:
    """One text per line: each instance is a string, also if it looks like numbers. InstancesError as above."""
    return [line for _unused, line in _lines(data, where)]


def parse_json_request(data: str | bytes, where: str = "--json-request") -> dict[str, Any]:
    """A JSON object with a list `instances`. Unlike gcloud, its other keys are kept."""
    request = _loads(_text(data, where), lambda: where, _("send an object: {example}", example=_EXAMPLE), whole=True)
    if not isinstance(request, dict):
        raise InstancesError(
            _("a JSON object is wanted, not {kind}", kind=_kind(request)),
            where=where,
            fix=_("send an object: {example}", example=_EXAMPLE),
        )
    if "instances" not in request:
        raise InstancesError(
            _('the request has no "instances"'), where=where, fix=_("send an object: {example}", example=_EXAMPLE)
        )
    instances = request["instances"]
    if not isinstance(instances, list):
        raise InstancesError(
            _('"instances" must be a list, not {kind}', kind=_kind(instances)),
            where=where,
            fix=_("send an object: {example}", example=_EXAMPLE),
        )
    if not instances:
        raise InstancesError(_('"instances" is empty'), where=where, fix=_("one item per prediction that is wanted"))
    return request


def from_value(value: object) -> list[Any]:
    """Instances from a Python value: list, tuple, NumPy array (rows), DataFrame (rows as lists), Series.

    NumPy and pandas are recognised by what they can do; nothing is imported. InstancesError for anything else.
    """
    if hasattr(value, "columns") and hasattr(value, "values"):
        value = value.values  # the service's scikit-learn gets rows as lists, too
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, tuple):
        value = list(value)
    if isinstance(value, list):
        if not value:
            raise InstancesError(
                _("there are no instances"), where="instances", fix=_("one item per prediction wanted")
            )
        return value
    fix = _("a list with one item per prediction that is wanted")
    if isinstance(value, Mapping) and "instances" in value:
        fix = _('pass its "instances"')
    elif hasattr(value, "toarray"):
        fix = _("a sparse matrix has to be dense here: pass .toarray()")
    raise InstancesError(_("instances must be a list, an array or a DataFrame, not {kind}", kind=_kind(value)), fix=fix)


def request_body(instances: object, signature_name: str | None = None, extra: Mapping[str, Any] | None = None) -> bytes:
    """The body of a predict request for these instances (see `from_value`); `extra` are further keys of the request.

    InstancesError if JSON cannot hold an instance (NaN, Infinity, a date, bytes), naming it.
    """
    if extra and "instances" in extra:
        raise InstancesError(
            _('"instances" are given twice'), where="extra", fix=_("leave them out of the further keys")
        )
    request = {"instances": from_value(instances), **(extra or {})}
    if signature_name is not None:
        request["signature_name"] = signature_name
    return encode(request)


def encode(request: Mapping[str, Any]) -> bytes:
    """A predict request as strict JSON. InstancesError naming the instance or key that JSON cannot hold."""
    try:
        return _dumps(request)
    except (ValueError, TypeError, RecursionError) as error:
        for place, part in _parts(request):
            try:
                _dumps(part)
            except (ValueError, TypeError, RecursionError) as reason:
                raise InstancesError(
                    _("{place} cannot be written as JSON: {why}", place=place, why=_why(reason)), where=place
                ) from None
        raise InstancesError(_("the request cannot be written as JSON: {why}", why=_why(error))) from None


def _parts(request: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in request.items():
        if key == "instances" and isinstance(value, list):
            yield from ((f"instances[{index}]", instance) for index, instance in enumerate(value))
        else:
            yield str(key), value


def _dumps(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False, default=_plain).encode("ascii")


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):  # NumPy's scalars and arrays, as items of a list
        return value.tolist()
    raise TypeError(_("{kind} is no JSON type", kind=_kind(value)))


def _why(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return _("it is nested too deeply")
    text = str(error) or type(error).__name__
    return _("NaN and Infinity do not exist in JSON") if text.startswith("Out of range float") else text


def _lines(data: str | bytes, where: str) -> Iterator[tuple[int, str]]:
    """Numbered lines, from 1, without line ends and byte order marks (a file glued from several has one per part)."""
    lines = _text(data, where).split("\n")  # not splitlines: it breaks at U+2028 too, which JSON allows in a string
    if not lines[-1]:
        lines.pop()
    if not lines:
        raise InstancesError(_("there are no instances"), where=where, fix=_("write one instance per line"))
    for number, line in enumerate(lines, 1):
        line = line.removesuffix("\r").removeprefix("\ufeff")
        if not line:
            raise InstancesError(
                _("the line is empty"),
                where=_line(where, number),
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
            _("byte 0x{data:02x} is not UTF-8", data=data[error.start]),
            where=_line(where, line),
            fix=_("save the file as UTF-8"),
        ) from None


def _loads(text: str, where: Callable[[], str], fix: str, *, whole: bool = False) -> Any:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        line = error.lineno if whole else None
        raise InstancesError(_no_json(error.msg, line, error.colno), where=where(), fix=fix) from None
    except (ValueError, RecursionError) as error:
        reason = _("it is nested too deeply") if isinstance(error, RecursionError) else str(error)
        raise InstancesError(_("this is not JSON: {reason}", reason=reason), where=where(), fix=fix) from None


def _no_json(reason: str, line: int | None, column: int) -> str:
    if line is None:
        return _("this is not JSON: {reason} at column {column}", reason=reason, column=column)
    return _("this is not JSON: {reason} at line {line}, column {column}", reason=reason, line=line, column=column)


def _line(where: str, number: int) -> str:
    return _("{where}, line {number}", where=where, number=number)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(_("{name} does not exist in JSON", name=name))


_DECODER = json.JSONDecoder(parse_constant=_no_constant)  # one for all: there may be a million lines


def _kind(value: object) -> str:
    names: dict[type, str] = {
        dict: _("an object"),
        list: _("a list"),
        str: _("a text"),
        bool: _("a truth value"),
    }
    if value is None:
        return _("nothing")
    if type(value) in (int, float):
        return _("the number {value}", value=value)
    return names.get(type(value), type(value).__name__)
