"""The page of all rules: `python -m aip_magics.checks.docs_page` regenerates RULES.md from their docstrings."""

from __future__ import annotations

import dis
import importlib
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from aip_magics import checks
from aip_magics.checks.outcome import SEVERITIES

PAGE = Path(__file__).with_name("RULES.md")
HEAD = """# Preflight checks

Generated from the rules by `python -m aip_magics.checks.docs_page`; edit the docstrings of the rules, not this page.

`%aip_check`, every `%%aip_deploy`, the form and `aip-magics check` apply all of them. `--skip` skips a check, by its id
or its name (`--skip A02`, `--skip library-too-new`); `--strict` makes warnings count as errors. Ids never change.
"""
ONLINE = "This check queries the service, once the target is connected."
_PARTS = ("aip_magics.checks.", "aip_magics.targets.")  # those that have rules
_RULES_OF_TARGETS = ("aip_magics.targets.vertex.rules",)  # registered when the target is created; the page has them all


def page() -> str:
    """Return the page as Markdown: a section for each rule, in the order of their ids."""
    for module in _RULES_OF_TARGETS:
        importlib.import_module(module)
    rules: dict[str, checks.Rule | checks.OnlineRule] = {**checks.RULES, **checks.ONLINE_RULES}
    return "\n".join([HEAD, *(_section(rules[id], id in checks.ONLINE_RULES) for id in sorted(rules))])


def severities(check: Callable[..., Any]) -> tuple[str, ...]:
    """Return the severities that findings of a rule can have, the worst first.

    They are derived from the code that the rule can call: a list kept by hand would become outdated.
    """
    constants = {constant for values in _reached(check, set()) for constant in values}
    return tuple(severity for severity in SEVERITIES if severity in constants)


def _reached(function: Any, seen: set[int]) -> Iterator[tuple[Any, ...]]:
    """Yield the constants of a function, and of all functions of the parts with rules that it can call."""
    if not isinstance(function, types.FunctionType) or id(function) in seen:
        return
    if not function.__module__.startswith(_PARTS):
        return
    seen.add(id(function))
    yield function.__defaults__ or ()
    for cell in function.__closure__ or ():
        yield from _reached(cell.cell_contents, seen)
    for code in _codes(function.__code__):
        yield code.co_consts
        for instruction in dis.get_instructions(code):
            if instruction.opname == "LOAD_GLOBAL":
                yield from _reached(function.__globals__.get(instruction.argval), seen)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """Yield a code object and the ones nested in it: comprehensions and functions."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _section(rule: checks.Rule | checks.OnlineRule, online: bool) -> str:
    text = [rule.title, *([rule.text] if rule.text else []), *([ONLINE] if online else [])]
    if rule.target:
        text.append(f"Only for deployments to the target {rule.target}.")
    found = ", ".join(severities(rule.check))
    return "\n\n".join([f"## {rule.id} {rule.name}", *text, f"Severity: {found}. [Evidence]({rule.link})"]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
