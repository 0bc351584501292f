"""Convert instances for a model: lists, base64, columns. Errors name the instance."""

# ruff: noqa: UP032

import base64
from typing import Any

from .errors import ModelError, _, error_text, shortened


def as_list(instances: "Any") -> "list[Any]":
    """The instances, if they are a list. Raises ModelError otherwise."""
    if isinstance(instances, list):
        return instances
    raise ModelError("INVALID_INPUTS", "'instances' must be a list, not " + shortened(instances))


def decoded(instances: "list[Any]") -> "list[Any]":
    """The instances, with every object whose only key is `b64` replaced by its bytes."""
    results = []
    for index, instance in enumerate(instances):
        try:
            results.append(decode(instance))
        except (ValueError, TypeError) as error:
            text = 'instance {}: the value of "b64" is not base64: {}'.format(index, error_text(error))
            raise ModelError(
                "INVALID_INPUTS", text, _("encode the bytes with {line}", line="base64.b64encode(data).decode()")
            ) from error
    return results


def decode(value: "Any") -> "Any":
    if isinstance(value, list):
        return [decode(item) for item in value]
    if isinstance(value, dict):
        if len(value) == 1 and "b64" in value:
            return base64.b64decode(value["b64"])  # as lenient as the service: other characters are skipped
        return {key: decode(item) for key, item in value.items()}
    return value


def unwrapped(instances: "list[Any]", alias: str) -> "list[Any]":
    """The value of the single input for each instance, which is a bare value or an object with that one key."""
    values = []
    for index, instance in enumerate(instances):
        if isinstance(instance, dict):
            if len(instance) != 1 or alias not in instance:
                text = "Expected tensor name: {}, got tensor name: {}. (instance {})"
                raise ModelError("INVALID_INPUTS", text.format(alias, list(instance), index))
            instance = instance[alias]
        values.append(instance)
    return values


def columns(instances: "list[Any]", aliases: "list[str]", optional: "set[str]") -> "dict[str, list[Any]]":
    """Convert rows to columns for a signature with several inputs. `optional` inputs may be missing from all rows."""
    known, names = set(aliases), ", ".join(sorted(aliases))
    for index, instance in enumerate(instances):
        if not isinstance(instance, dict):
            text = "instance {} is not an object, but the signature has several inputs: {}".format(index, names)
            raise ModelError("INVALID_INPUTS", text, _("write each instance as an object with the input names as keys"))
        for alias in instance:
            if alias not in known:
                text = "Unexpected tensor name: {} (instance {})".format(alias, index)
                raise ModelError("INVALID_INPUTS", text, _("use the inputs {names}", names=names))
    return {alias: column(instances, alias) for alias in aliases if alias not in optional or used(instances, alias)}


def used(instances: "list[Any]", alias: str) -> bool:
    return any(alias in instance for instance in instances)


def column(instances: "list[Any]", alias: str) -> "list[Any]":
    try:
        return [instance[alias] for instance in instances]
    except KeyError:
        index = next(index for index, instance in enumerate(instances) if alias not in instance)
        text = "Input {} was missing in at least one input instance. (instance {})".format(alias, index)
        raise ModelError("INVALID_INPUTS", text) from None


RAGGED = ("ragged",)


def shape(value: "Any") -> "tuple[Any, ...]":
    """The lengths of nested lists: () for a single value, RAGGED if lists at one level differ in length."""
    if not isinstance(value, list):
        return ()
    inner = {shape(item) for item in value}
    if len(inner) > 1 or RAGGED in inner:
        return RAGGED
    return (len(value),) + (inner.pop() if inner else ())


def find_shape_error(instances: "list[Any]") -> str:
    """Describe the first instance that is ragged or differs in shape from the first; empty if all have one shape."""
    first = None
    for index, instance in enumerate(instances):
        size = shape(instance)
        first = size if first is None else first
        if size == RAGGED:
            return "instance {} is {}".format(index, describe_shape(size))
        if size != first:
            return "instance {} is {}, but instance 0 is {}".format(index, describe_shape(size), describe_shape(first))
    return ""


def describe_shape(size: "tuple[Any, ...]") -> str:
    if not size:
        return "one value"
    if size == RAGGED:
        return "a list whose items differ in length or depth"
    return "a list of " + " x ".join(map(str, size))
