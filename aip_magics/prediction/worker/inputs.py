"""Instances before they reach a model: lists, base64, columns; what is wrong with them names the instance."""

# ruff: noqa: UP032

import base64
from typing import Any

from .errors import ModelError, error_text, shortened


def as_list(instances: "Any") -> "list[Any]":
    """The instances, which have to be a list."""
    if isinstance(instances, list):
        return instances
    raise ModelError("INVALID_INPUTS", "'instances' must be a list, not " + shortened(instances))


def decoded(instances: "list[Any]") -> "list[Any]":
    """The instances with every object whose only key is `b64` replaced by its bytes."""
    done = []
    for index, instance in enumerate(instances):
        try:
            done.append(decode(instance))
        except (ValueError, TypeError) as error:
            text = 'instance {}: the value of "b64" is not base64: {}'.format(index, error_text(error))
            raise ModelError("INVALID_INPUTS", text, "encode the bytes with base64.b64encode(data).decode()") from error
    return done


def decode(value: "Any") -> "Any":
    if isinstance(value, list):
        return [decode(item) for item in value]
    if isinstance(value, dict):
        if len(value) == 1 and "b64" in value:
            return base64.b64decode(value["b64"])  # as leniently as the service: other characters are skipped
        return {key: decode(item) for key, item in value.items()}
    return value


def unwrapped(instances: "list[Any]", alias: str) -> "list[Any]":
    """The one input's value of each instance, which may be given bare or as an object with that one key."""
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
    """Rows to columns, for a signature with several inputs. `optional` inputs may be missing, if in all rows."""
    known, told = set(aliases), ", ".join(sorted(aliases))
    for index, instance in enumerate(instances):
        if not isinstance(instance, dict):
            text = "instance {} is not an object, but the signature has several inputs: {}".format(index, told)
            raise ModelError("INVALID_INPUTS", text, "write each instance as an object with the inputs' names as keys")
        for alias in instance:
            if alias not in known:
                text = "Unexpected tensor name: {} (instance {})".format(alias, index)
                raise ModelError("INVALID_INPUTS", text, "the inputs are " + told)
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
    """The lengths of nested lists: () for a single value, RAGGED where lists of one level differ."""
    if not isinstance(value, list):
        return ()
    inner = {shape(item) for item in value}
    if len(inner) > 1 or RAGGED in inner:
        return RAGGED
    return (len(value),) + (inner.pop() if inner else ())


def uneven(instances: "list[Any]") -> str:
    """Which instance is not shaped as the first, or has lists of different lengths in itself; empty if all are fine."""
    first = None
    for index, instance in enumerate(instances):
        size = shape(instance)
        first = size if first is None else first
        if size == RAGGED:
            return "instance {} is {}".format(index, shaped(size))
        if size != first:
            return "instance {} is {}, but instance 0 is {}".format(index, shaped(size), shaped(first))
    return ""


def shaped(size: "tuple[Any, ...]") -> str:
    if not size:
        return "one value"
    if size == RAGGED:
        return "a list whose items differ in length or depth"
    return "a list of " + " x ".join(map(str, size))
